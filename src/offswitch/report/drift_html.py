"""A drift study as one HTML file that asks nothing of any network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from offswitch.audit.goal_drift_report import DriftReport
from offswitch.report import drift_curve_figure, drift_slopes_figure
from offswitch.report.drift_curve_figure import arm_label
from offswitch.report.drift_finding import drift_command, drift_finding, drift_warnings
from offswitch.report.page import FigureView, page_environment
from offswitch.report.whole_file import write_whole

__all__ = ["drift_html", "write_drift_html"]

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
        command=drift_command(report),
    )


def write_drift_html(report: DriftReport, path: str | os.PathLike[str]) -> None:
    """Writes the page as one file; drawing takes about a second.

    Raises:
        AuditError: the place cannot be written.
    """
    write_whole(Path(path), drift_html(report).encode())


def _figures(report: DriftReport) -> Iterator[FigureView]:
    from offswitch.report.svg import figure_svg

    for module in (drift_curve_figure, drift_slopes_figure):
        panel = module.panel(report)
        size = getattr(module, "SIZE", None)
        svg = figure_svg(module, report, titled=False, size=size) if panel.groups else ""
        yield FigureView(module.NAME, module.conclusion(report), module.caption(report), svg, panel)
