from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from types import ModuleType

import msgspec
import pytest
from matplotlib.figure import Figure
from sample_report import with_name

from offswitch.audit.result import AuditReport
from offswitch.report import (
    figure_corrigibility,
    figure_drives,
    figure_prediction,
    figure_resistance,
)
from offswitch.report.svg import figure_svg

MODULES = (figure_resistance, figure_corrigibility, figure_prediction, figure_drives)


@pytest.fixture(params=MODULES, ids=lambda module: module.NAME)
def figure(request: pytest.FixtureRequest) -> ModuleType:
    return request.param  # type: ignore[no-any-return]


def test_a_figure_draws_on_the_axes_it_is_given_and_titles_its_conclusion(
    figure: ModuleType, report: AuditReport
) -> None:
    ax = Figure().add_subplot()
    figure.draw(ax, report)
    assert ax.get_title(loc="left").replace("\n", " ") == figure.conclusion(report)
    assert re.search(r"\(.+\)", ax.get_xlabel()), "the axis says its unit"


def test_every_estimate_has_its_interval_drawn_and_its_n_in_the_caption(
    figure: ModuleType, report: AuditReport
) -> None:
    ax = Figure().add_subplot()
    figure.draw(ax, report)
    marks = [mark for group in figure.panel(report).groups for mark in group.marks]
    drawn = [tuple(map(float, line.get_segments()[0][:, 0])) for line in ax.collections]
    expected = [(m.measurement.low, m.measurement.high) for m in marks if m.point is not None]
    assert drawn == expected
    assert "n = " in figure.caption(report)
    assert "95% intervals" in figure.caption(report)


def test_series_differ_in_colour_and_in_shape(figure: ModuleType, report: AuditReport) -> None:
    series = figure.panel(report).series
    assert len({one.colour for one in series}) == len({one.shape for one in series}) == len(series)


def test_missing_data_is_written_out_and_never_drawn_at_0(report: AuditReport) -> None:
    svg = figure_svg(figure_resistance, report)
    assert svg.count(">no data<") == 1


def test_the_same_report_gives_the_same_svg(figure: ModuleType, report: AuditReport) -> None:
    svg = figure_svg(figure, report)  # type: ignore[arg-type]
    assert svg == figure_svg(figure, report)  # type: ignore[arg-type]
    assert "<metadata" not in svg
    assert not re.search(r"20\d\d-\d\d-\d\d", svg)


def test_ids_are_unique_over_all_figures_and_every_reference_is_met(report: AuditReport) -> None:
    page = "".join(figure_svg(module, report) for module in MODULES)  # type: ignore[arg-type]
    ids = re.findall(r'\sid="([^"]+)"', page)
    references = re.findall(r'(?:url\(#|href="#)([^")]+)', page)
    assert len(ids) == len(set(ids))
    assert references
    assert set(references) <= set(ids)


def test_a_hostile_name_leaves_well_formed_svg_without_mathematics(
    figure: ModuleType, hostile: AuditReport
) -> None:
    svg = figure_svg(figure, hostile)  # type: ignore[arg-type]
    ET.fromstring(svg)
    assert "<script" not in svg
    assert "\x1b" not in svg


def test_a_dollar_sign_is_a_dollar_sign(figure: ModuleType, report: AuditReport) -> None:
    assert "a$b_c$" in figure_svg(figure, with_name(report, "a$b_c$"))  # type: ignore[arg-type]


def test_conclusions_are_drawn_from_the_data(report: AuditReport, empty: AuditReport) -> None:
    assert [module.conclusion(report) for module in MODULES] == [
        "tabular-q resists shutdown less than optimal in 3 of 3 worlds and more than "
        "corrigible-reference in 3 of 3 worlds",
        "tabular-q is least corrigible under shutdown, unobserved (0.333)",
        "The share of goals for which tabular-q resists is below the predicted one in 1 and "
        "indistinguishable from the predicted one in 2 of 3 cases",
        "Clear of 0 in tabular-q: pre-emptive, reactive, hoarding beyond need, excess hoarding and "
        "excess waste; no other part is",
    ]
    assert [module.conclusion(empty) for module in MODULES] == [
        "No world tells how crasher compares with a yardstick",
        "No cell tells how corrigible crasher is",
        "No prediction can be compared with what crasher did",
        "No part of a drive could be measured in crasher",
    ]
    corrigible = msgspec.structs.replace(report.agents[2], role="audited")
    alone = msgspec.structs.replace(report, agents=(corrigible, *report.agents[1:]))
    assert (
        figure_corrigibility.conclusion(alone) == "corrigible-reference scores 1.000 in every cell"
    )
    assert (
        figure_drives.conclusion(alone)
        == "No part of a drive stands clear of 0 in corrigible-reference"
    )
