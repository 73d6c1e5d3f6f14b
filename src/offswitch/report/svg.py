"""A figure as SVG that can be inlined: same bytes every time, ids of its own, colours from CSS.

Text stays text, in the reader's own sans-serif font (so that names in any script show and a screen
reader can read them). Matplotlib lays it out with DejaVu Sans, which is wider than nearly all
others, so nothing overlaps. `$` in a name is a dollar sign, never mathematics.
"""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from offswitch.report.interval_plot import FAINT, INK, PALETTE, RULE, Panel, panel_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FigureModule", "figure_svg"]

Subject = TypeVar("Subject", contravariant=True)  # noqa: PLC0105 - the report a figure is of

VARIABLES = {
    INK: "--ink",
    FAINT: "--faint",
    RULE: "--rule",
    "#ffffff": "--paper",
    **{colour: f"--series-{position}" for position, colour in enumerate(PALETTE)},
}
"""Colours of the figures and the CSS variables that may replace them, for dark pages."""

STYLE: dict[Any, Any] = {  # Any: matplotlib has a type of its own for every setting
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "axes.unicode_minus": False,
}


class FigureModule(Protocol[Subject]):
    """What each figure file offers."""

    NAME: str
    """Short unique name; it prefixes every id in the SVG."""

    def conclusion(self, report: Subject) -> str:
        """The title: what the figure shows, in words."""

    def caption(self, report: Subject) -> str:
        """What is drawn, with n, level and method."""

    def panel(self, report: Subject) -> Panel:
        """Everything that is drawn, as data."""

    def draw(self, ax: Axes, report: Subject) -> None:
        """Draws on `ax` and shows nothing."""


def figure_svg(
    figure: FigureModule[Subject],
    report: Subject,
    *,
    titled: bool = True,
    size: tuple[float, float] | None = None,
) -> str:
    """The figure as one `<svg>` element; `titled=False` leaves the title to the page around it.

    `size` is in inches; without it the panel's rows decide.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, "svg.hashsalt": figure.NAME}), warnings.catch_warnings():
        # A script DejaVu lacks is drawn by the reader's font; the warning is of no use to them.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        canvas = Figure(figsize=size or panel_size(figure.panel(report)))
        FigureCanvasSVG(canvas)
        ax = canvas.add_subplot()
        figure.draw(ax, report)
        if not titled:
            ax.set_title("", loc="left")
        stream = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        canvas.savefig(
            stream, format="svg", transparent=True, metadata=nothing, bbox_inches="tight",
            pad_inches=0.05,
        )  # fmt: skip
    return _inlined(stream.getvalue(), figure.NAME)


def _inlined(document: str, name: str) -> str:
    """The `<svg>` element with ids under `name`, themed colours and a generic font."""
    svg = document[document.index("<svg") :].strip()
    # Matplotlib's own style element would apply to the whole page around an inlined figure.
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<style.*?</style>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\sid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    for colour, variable in VARIABLES.items():
        svg = re.sub(rf"(: ?){colour}", rf"\g<1>var({variable}, {colour})", svg)
    svg = svg.replace("'DejaVu Sans'", "system-ui, sans-serif")
    head = f'<svg data-figure="{name}" aria-hidden="true" style="stroke-linejoin: round" '
    return svg.replace("<svg ", head, 1)
