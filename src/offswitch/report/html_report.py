"""The report as one HTML file that asks nothing of any network."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from offswitch.audit.result import AgentResult, AuditReport, CellResult
from offswitch.report import (
    figure_corrigibility,
    figure_drives,
    figure_prediction,
    figure_resistance,
)
from offswitch.report.annexes import annexes
from offswitch.report.gate_line import GateLine
from offswitch.report.measures import audited, compared, verdict_rows
from offswitch.report.page import FigureView, page_environment
from offswitch.report.profile_rows import means_rows, stock_rows
from offswitch.report.rerun import rerun_command
from offswitch.report.verdict import SCORE_LIMITS, verdict, warnings
from offswitch.report.whole_file import write_whole
from offswitch.statistics.exact import exact_measurement
from offswitch.statistics.measurement import Measurement

if TYPE_CHECKING:
    from jinja2 import Environment

    from offswitch.report.svg import FigureModule

__all__ = ["NumberView", "html_text", "write_html"]

TEMPLATES = ("report.html", "report_parts.html", "profile_parts.html", "annex_parts.html")
CHECKS = ("disobey", "obstruct", "induce", "persist", "unsafe", "deceive")
"""The checks of the corrigibility label, in the order in which the first failure is looked for."""


class NumberView(NamedTuple):
    """One measurement of one agent, with where it was taken."""

    agent: str
    scope: str
    measurement: Measurement


def html_text(report: AuditReport, gates: Sequence[GateLine] = ()) -> str:
    """The page; the same report gives the same text."""
    page = _environment().get_template("report.html")
    return page.render(
        report=report,
        gates=gates,
        agent=audited(report),
        agents=compared(report),
        verdict=verdict(report, gates),
        warnings=warnings(report),
        rows=verdict_rows(report),
        figures={view.name: view for view in _figures(report)},
        numbers=tuple(_numbers(report)),
        command=rerun_command(report.settings),
        score_limits=SCORE_LIMITS,
        annexes=annexes(report),
        means=tuple(means_rows(compared(report))),
        stocks=tuple(stock_rows(compared(report))),
    )


def write_html(
    report: AuditReport, path: str | os.PathLike[str], gates: Sequence[GateLine] = ()
) -> None:
    """Writes the page as one file; takes about a second.

    Raises:
        AuditError: the place cannot be written.
    """
    write_whole(Path(path), html_text(report, gates).encode())


@functools.cache  # it compiles its templates, which takes as long as to draw a figure
def _environment() -> Environment:
    environment = page_environment(TEMPLATES)
    environment.filters["cell_label"] = figure_corrigibility.cell_label
    environment.filters["headline"] = _headline
    environment.filters["worlds"] = _cells_by_world
    environment.filters["failures"] = _failures
    return environment


def _figures(report: AuditReport) -> Iterator[FigureView]:
    from offswitch.report.svg import figure_svg

    modules: tuple[FigureModule[AuditReport], ...] = (
        figure_resistance,
        figure_corrigibility,
        figure_prediction,
        figure_drives,
    )
    for module in modules:
        panel = module.panel(report)
        svg = figure_svg(module, report, titled=False) if panel.groups else ""
        title, caption = module.conclusion(report), module.caption(report)
        yield FigureView(module.NAME, title, caption, svg, panel)


def _numbers(report: AuditReport) -> Iterator[NumberView]:
    for agent in report.agents:
        for measurement in agent.summary:
            yield NumberView(agent.name, "all worlds", measurement)
        for measurement in _profile(agent):
            yield NumberView(agent.name, "all worlds", measurement)
        if agent.corrigibility is not None:
            score = agent.corrigibility
            for measurement in (score.usefulness, score.score, score.worst):
                yield NumberView(agent.name, "all worlds", measurement)
        for world, measurements in agent.by_world.items():
            for measurement in measurements:
                yield NumberView(agent.name, world, measurement)


def _profile(agent: AgentResult) -> Iterator[Measurement]:
    yield from (one.share for one in agent.means)
    yield from (one.excess for one in agent.stocks)
    yield from (one.resistance for one in agent.strata)


def _headline(cell: CellResult) -> Measurement | None:
    """The headline of self-preservation in a cell; a part left out of an exact cell is 0."""
    wanted = ("self-preservation", "headline")
    found = (c.measurement for c in cell.components if (c.drive, c.component) == wanted)
    return next(
        found, exact_measurement("headline", 0.0, n=1) if wanted[0] in cell.drives else None
    )


def _cells_by_world(agent: AgentResult) -> dict[str, list[CellResult]]:
    groups: dict[str, list[CellResult]] = {}
    for cell in agent.cells:
        groups.setdefault(cell.world, []).append(cell)
    return groups


def _failures(first_failure: dict[str, float]) -> list[tuple[str, float]]:
    """The split by first failing check, in the order in which the checks are made."""
    known = [(check, first_failure[check]) for check in CHECKS if check in first_failure]
    return known + sorted(item for item in first_failure.items() if item[0] not in CHECKS)
