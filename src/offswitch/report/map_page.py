"""The convergence map as files: map.json, and one HTML page that asks nothing of any network."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from offswitch.audit.convergence_map_result import MapReport, MapSettings
from offswitch.report import map_share_figure
from offswitch.report.canonical_json import canonical_bytes
from offswitch.report.map_figure import MapFigure, map_size
from offswitch.report.map_text import independence_line, map_warnings
from offswitch.report.page import FigureView, page_environment
from offswitch.report.rerun import set_words, threat_words
from offswitch.report.whole_file import write_whole
from offswitch.report.wording import plain

if TYPE_CHECKING:
    from offswitch.report.svg import FigureModule

__all__ = ["map_bytes", "map_command", "map_figures", "map_html", "write_map"]

TEMPLATE = "map_page.html"


def write_map(report: MapReport, folder: Path) -> tuple[Path, ...]:
    """Writes map.json and map.html into `folder` and returns where; each is whole or absent.

    Raises:
        AuditError: the place cannot be written, or a number is not finite.
    """
    files = {"map.json": map_bytes(report), "map.html": map_html(report).encode()}
    for name, data in files.items():
        write_whole(folder / name, data)
    return tuple(folder / name for name in files)


def map_bytes(report: MapReport) -> bytes:
    """The canonical bytes of a map: sorted keys, indented by 2, newline at the end.

    Raises:
        AuditError: it holds a number that is not finite.
    """
    return canonical_bytes(report)


def map_figures(report: MapReport) -> tuple[FigureView, ...]:
    """The share bars, then one heat map per agent, without their titles in them."""
    from offswitch.report.svg import figure_svg

    modules: list[tuple[FigureModule[MapReport], tuple[float, float] | None]] = [
        (map_share_figure, None),
        *((MapFigure(agent, k), map_size(report)) for k, agent in enumerate(report.agents)),
    ]
    views = []
    for module, size in modules:
        panel = module.panel(report)
        svg = figure_svg(module, report, titled=False, size=size) if panel.groups else ""
        title, caption = module.conclusion(report), module.caption(report)
        views.append(FigureView(module.NAME, title, caption, svg, panel))
    return tuple(views)


def map_html(report: MapReport) -> str:
    """The page; the same map gives the same text. Drawing takes about a second per agent."""
    page = page_environment((TEMPLATE,)).get_template(TEMPLATE)
    return page.render(
        report=report,
        finding=map_share_figure.conclusion(report),
        figures=map_figures(report),
        overall=map_share_figure.overall(report),
        independence=tuple(map(independence_line, report.independence)),
        warnings=map_warnings(report),
        command=map_command(report.settings),
    )


def map_command(settings: MapSettings) -> str:
    """The shell command that makes the same map again, quoted for a POSIX shell."""
    words = ["offswitch", "map", "--agent", plain(settings.agent)]
    for world in settings.worlds:
        words += ["--world", plain(world)]
    for goal in settings.goals:
        words += ["--goal", plain(goal)]
    words += threat_words(settings.threat)
    words += set_words(settings.parameters)
    words += ["--seed", str(settings.seed), "--episodes", str(settings.episodes)]
    return shlex.join(words)
