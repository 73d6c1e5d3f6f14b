"""A drift study as files: drift.json, and one HTML page that asks nothing of any network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from offswitch.audit.goal_drift_report import DriftReport
from offswitch.report import drift_curve_figure, drift_slopes_figure
from offswitch.report.canonical_json import canonical_bytes
from offswitch.report.drift_curve_figure import arm_label
from offswitch.report.drift_finding import (
    drift_command,
    drift_finding,
    drift_warnings,
    headline_arms,
)
from offswitch.report.page import FigureView, page_environment
from offswitch.report.whole_file import write_whole

__all__ = ["drift_html", "write_drift"]

TEMPLATE = "drift_page.html"


def drift_html(report: DriftReport) -> str:
    """The page; the same report gives the same text."""
    environment = page_environment((TEMPLATE,))
    environment.filters["arm_label"] = arm_label
    return environment.get_template(TEMPLATE).render(
        report=report,
        finding=drift_finding(report),
        warnings=drift_warnings(report),
        figures=tuple(_figures(report)),
        headline=headline_arms(report),
        command=drift_command(report),
    )


def write_drift(report: DriftReport, folder: Path) -> tuple[Path, ...]:
    """Writes drift.json and drift.html into `folder` and returns where; each is whole or absent.

    Drawing takes about a second.

    Raises:
        AuditError: the place cannot be written, or a number is not finite.
    """
    files = {"drift.json": canonical_bytes(report), "drift.html": drift_html(report).encode()}
    for name, data in files.items():
        write_whole(folder / name, data)
    return tuple(folder / name for name in files)


def _figures(report: DriftReport) -> Iterator[FigureView]:
    from offswitch.report.svg import figure_svg

    for module in (drift_curve_figure, drift_slopes_figure):
        panel = module.panel(report)
        size = getattr(module, "SIZE", None)
        svg = figure_svg(module, report, titled=False, size=size) if panel.groups else ""
        yield FigureView(module.NAME, module.conclusion(report), module.caption(report), svg, panel)
