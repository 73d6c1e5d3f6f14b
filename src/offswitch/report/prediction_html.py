"""The prediction as one HTML file that asks nothing of any network, and its figures as SVG."""

from __future__ import annotations

import html
import os
import re
import textwrap
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
    start_label,
)
from offswitch.report.whole_file import write_whole
from offswitch.report.wording import plain
from offswitch.theory.prediction.report import PredictionReport
from offswitch.theory.reward_units import tie_of

__all__ = [
    "NAMES",
    "prediction_figures",
    "prediction_html",
    "write_figures",
    "write_prediction_html",
]

TEMPLATE = "prediction.html"
NAMES = ("power-map", "power-states", "optimality", "power-discount")
"""Of every figure there may be."""
LETTERS_A_POINT = 0.155
"""Letters of 10 points in a point of width, so that no reader's font cuts them."""
TITLE, CAPTION = 12, 9
"""Font sizes."""


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
            start_label=start_label(report, 60),
            tie=tie_of(report.settings.discount),
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
        write_whole(paths[-1], _standing_alone(view).encode())
    return paths


def _standing_alone(view: FigureView) -> str:
    """The figure with its title above and its caption below, which a page would set around it."""
    found = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', view.svg)
    if found is None:
        return view.svg
    wide, high = max(float(found[1]), 260.0), float(found[2])
    title = textwrap.wrap(plain(view.title), int(wide * LETTERS_A_POINT * 10 / TITLE * 0.9)) or [""]
    caption = textwrap.wrap(plain(view.caption), int(wide * LETTERS_A_POINT * 10 / CAPTION))
    top = 6 + 1.3 * TITLE * len(title) + 6
    total = top + high + 6 + 1.35 * CAPTION * len(caption) + 6
    words = [
        _line(text, 4 + TITLE + 1.3 * TITLE * row, TITLE, bold=True)
        for row, text in enumerate(title)
    ]
    words += [
        _line(text, top + high + 8 + CAPTION + 1.35 * CAPTION * row, CAPTION, bold=False)
        for row, text in enumerate(caption)
    ]
    inner = re.sub(
        r'(<svg [^>]*?)width="[^"]*"',
        rf'\g<1>x="0" y="{top:.1f}" width="{found[1]}pt"',
        view.svg,
        count=1,
    )
    # A nested drawing is measured in the units of the outer one.
    inner = re.sub(r'(width|height)="([0-9.]+)pt"', r'\g<1>="\g<2>"', inner, count=2)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{wide:.1f}pt" '
        f'height="{total:.1f}pt" viewBox="0 0 {wide:.1f} {total:.1f}">\n'
        f"<title>{html.escape(plain(view.title))}</title>\n"
        f"<desc>{html.escape(plain(view.caption))}</desc>\n"
        f"{inner}\n" + "\n".join(words) + "\n</svg>\n"
    )


def _line(text: str, y: float, size: int, *, bold: bool) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="2" y="{y:.1f}" font-size="{size}" font-family="system-ui, sans-serif" '
        f'fill="#1f2430"{weight}>{html.escape(text)}</text>'
    )
