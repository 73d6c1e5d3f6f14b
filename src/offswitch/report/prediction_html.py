"""The prediction as one HTML file that asks nothing of any network, and its figures as SVG."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from offswitch.report import (
    optimality_figure,
    power_discount_figure,
    power_map_figure,
    power_states_figure,
)
from offswitch.report.page import FigureView, page_environment
from offswitch.report.prediction_finding import (
    NO_CERTIFICATE,
    finding,
    predict_command,
    prediction_warnings,
)
from offswitch.report.whole_file import write_whole
from offswitch.theory.prediction.report import PredictionReport

__all__ = ["prediction_figures", "prediction_html", "write_figures", "write_prediction_html"]

TEMPLATE = "prediction.html"
NAMES = ("power-map", "power-states", "optimality", "power-discount")


def prediction_figures(report: PredictionReport) -> dict[str, FigureView]:
    """The figures that there is something to draw of, by name, without their titles in them."""
    from offswitch.report.svg import figure_svg

    views: dict[str, FigureView] = {}
    sizes = {"power-discount": power_discount_figure.SIZE}
    if report.grid is not None:
        sizes["power-map"] = power_map_figure.map_size(report)
    for module in (
        power_map_figure, power_states_figure, optimality_figure, power_discount_figure
    ):  # fmt: skip
        panel = module.panel(report)
        if module is power_states_figure and _map_says_all(views.get("power-map"), report):
            continue
        if panel.groups:
            size = sizes.get(module.NAME)
            svg = figure_svg(module, report, titled=False, size=size)
            title, caption = module.conclusion(report), module.caption(report)
            views[module.NAME] = FigureView(module.NAME, title, caption, svg, panel)
    return views


def _map_says_all(drawn: FigureView | None, report: PredictionReport) -> bool:
    """Whether the map shows every state but one (where episodes end) that can be reached."""
    return drawn is not None and len(drawn.panel.groups) >= report.process.reachable - 1


def prediction_html(
    report: PredictionReport, figures: Mapping[str, FigureView] | None = None
) -> str:
    """The page; the same prediction gives the same text. `figures` saves drawing them again.

    An empty mapping leaves the drawings out; the tables beside them stay.
    """
    drawn = prediction_figures(report) if figures is None else figures
    return (
        page_environment((TEMPLATE,))
        .get_template(TEMPLATE)
        .render(
            report=report,
            finding=finding(report),
            warnings=prediction_warnings(report),
            figures={name: drawn.get(name) for name in NAMES},
            command=predict_command(report),
            no_certificate=NO_CERTIFICATE,
        )
    )


def write_prediction_html(
    report: PredictionReport,
    path: str | os.PathLike[str],
    figures: Mapping[str, FigureView] | None = None,
) -> None:
    """Writes the page as one file; drawing takes about a second.

    Raises:
        AuditError: the place cannot be written.
    """
    write_whole(Path(path), prediction_html(report, figures).encode())


def write_figures(figures: Mapping[str, FigureView], folder: Path) -> list[Path]:
    """Writes each figure as an SVG file that stands alone, and returns the paths.

    Raises:
        AuditError: the place cannot be written.
    """
    paths = []
    for name, view in figures.items():
        paths.append(folder / f"{name}.svg")
        write_whole(paths[-1], view.svg.encode())
    return paths
