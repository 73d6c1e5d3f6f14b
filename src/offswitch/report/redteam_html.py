"""A search for the worst case as redteam.json and a page that asks nothing of any network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from offswitch.audit.worst_case_report import FOUND, RedteamReport
from offswitch.report import redteam_path_figure
from offswitch.report.canonical_json import canonical_bytes
from offswitch.report.page import FigureView, page_environment
from offswitch.report.redteam_finding import (
    MEASURES,
    redteam_command,
    redteam_finding,
    redteam_warnings,
)
from offswitch.report.whole_file import write_whole

__all__ = ["redteam_html", "write_redteam"]

TEMPLATE = "redteam_page.html"


def redteam_html(report: RedteamReport) -> str:
    """The page; the same report gives the same text."""
    return (
        page_environment((TEMPLATE,))
        .get_template(TEMPLATE)
        .render(
            report=report,
            finding=redteam_finding(report),
            warnings=redteam_warnings(report),
            figures=tuple(_figures(report)),
            command=redteam_command(report),
            label=FOUND,
            measure=MEASURES[report.settings.measure],
        )
    )


def write_redteam(report: RedteamReport, folder: Path) -> tuple[Path, ...]:
    """Writes redteam.json and redteam.html into `folder` and returns where; each whole or absent.

    Drawing takes about a second.

    Raises:
        AuditError: the place cannot be written, or a number is not finite.
    """
    files = {"redteam.json": canonical_bytes(report), "redteam.html": redteam_html(report).encode()}
    for name, data in files.items():
        write_whole(folder / name, data)
    return tuple(folder / name for name in files)


def _figures(report: RedteamReport) -> Iterator[FigureView]:
    """One figure per world; ids differ, so that they can stand on one page."""
    from offswitch.report.svg import figure_svg

    figure = redteam_path_figure
    for one in report.searches:
        name = f"{figure.NAME}-{one.world}"
        svg = figure_svg(figure, one, titled=False, size=figure.SIZE)
        svg = svg.replace(f"{figure.NAME}-", f"{name}-").replace(f'"{figure.NAME}"', f'"{name}"')
        yield FigureView(name, figure.conclusion(one), figure.caption(one), svg, figure.panel(one))
