"""The study of moderating factors as files: factors.json, and a page that loads nothing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from offswitch.audit.factors_result import FactorsReport, FactorsSettings
from offswitch.report import factors_figure, transfer_auc_figure, transfer_calibration_figure
from offswitch.report.canonical_json import canonical_bytes
from offswitch.report.factors_figure import term_name
from offswitch.report.factors_text import capability_line, count_line, factors_warnings
from offswitch.report.page import FigureView, page_environment
from offswitch.report.transfer_text import claim_lines, transfer_lines
from offswitch.report.whole_file import write_whole
from offswitch.report.wording import plain

if TYPE_CHECKING:
    from offswitch.report.svg import FigureModule

__all__ = ["factors_bytes", "factors_command", "factors_figures", "factors_html", "write_factors"]

TEMPLATE = "factors_page.html"


def write_factors(report: FactorsReport, folder: Path) -> tuple[Path, ...]:
    """Writes factors.json and factors.html into `folder` and returns where; each whole or absent.

    Raises:
        AuditError: the place cannot be written, or a number is not finite.
    """
    files = {"factors.json": factors_bytes(report), "factors.html": factors_html(report).encode()}
    for name, data in files.items():
        write_whole(folder / name, data)
    return tuple(folder / name for name in files)


def factors_bytes(report: FactorsReport) -> bytes:
    """The canonical bytes of a study: sorted keys, indented by 2, newline at the end.

    Raises:
        AuditError: it holds a number that is not finite.
    """
    return canonical_bytes(report)


def factors_figures(report: FactorsReport) -> tuple[FigureView, ...]:
    """The variance, then calibration and AUC where there was a transfer, without their titles."""
    return tuple(_views(report))


def _views(report: FactorsReport) -> Iterator[FigureView]:
    from offswitch.report.svg import figure_svg

    modules: list[tuple[FigureModule[FactorsReport], tuple[float, float] | None]] = [
        (factors_figure, None)
    ]
    if report.transfer is not None:
        modules += [
            (transfer_calibration_figure, transfer_calibration_figure.SIZE),
            (transfer_auc_figure, transfer_auc_figure.SIZE),
        ]
    for module, size in modules:
        yield FigureView(
            module.NAME, module.conclusion(report), module.caption(report),
            figure_svg(module, report, titled=False, size=size), module.panel(report),
        )  # fmt: skip


def factors_html(report: FactorsReport) -> str:
    """The page; the same study gives the same text. Drawing takes about a second."""
    overall = transfer_auc_figure.overall(report)
    environment = page_environment((TEMPLATE,))
    environment.filters["term"] = term_name
    return environment.get_template(TEMPLATE).render(
        report=report,
        figures=factors_figures(report),
        finding=transfer_auc_figure.conclusion(report),
        counts=[count_line(table) for table in report.tables],
        capability=capability_line(report),
        overall=overall,
        claims=[line.removeprefix("- ") for line in claim_lines(overall)],
        notes=transfer_lines(report.transfer) if report.transfer else [],
        warnings=factors_warnings(report),
        command=factors_command(report.settings),
    )


def factors_command(settings: FactorsSettings) -> str:
    """The shell command that makes the same study again, quoted for a POSIX shell."""
    words = ["offswitch", "factors"]
    for agent in settings.agents:
        words += ["--agent", plain(agent)]
    for world in settings.worlds:
        words += ["--world", plain(world)]
    words += ["--drive", plain(settings.drive)]
    for option in ("goals", "learner_goals", "steps", "draws", "resamples", "episodes", "seed"):
        words += [f"--{option.replace('_', '-')}", str(getattr(settings, option))]
    return shlex.join(words)
