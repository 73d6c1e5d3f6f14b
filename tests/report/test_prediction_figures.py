from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from types import ModuleType

import msgspec
import numpy as np
import pytest
from matplotlib.figure import Figure
from sample_prediction import hostile, interrupted, sample_prediction

from offswitch.report import (
    optimality_figure,
    power_discount_figure,
    power_map_figure,
    power_states_figure,
)
from offswitch.report.prediction_html import prediction_figures
from offswitch.report.svg import figure_svg
from offswitch.report.wording import number
from offswitch.theory.prediction.report import PredictionReport

MODULES = (power_map_figure, power_states_figure, optimality_figure, power_discount_figure)


@pytest.fixture(params=MODULES, ids=lambda module: module.NAME)
def figure(request: pytest.FixtureRequest) -> ModuleType:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def report() -> PredictionReport:
    return sample_prediction()


def test_a_figure_titles_its_conclusion_and_says_n_and_level(
    figure: ModuleType, report: PredictionReport
) -> None:
    ax = Figure().add_subplot()
    figure.draw(ax, report)
    assert ax.get_title(loc="left").replace("\n", " ") == figure.conclusion(report)
    assert "n = " in figure.caption(report)
    assert "95% intervals" in figure.caption(report)


def test_intervals_of_states_and_acts_are_drawn(report: PredictionReport) -> None:
    for figure in (power_states_figure, optimality_figure):
        ax = Figure().add_subplot()
        figure.draw(ax, report)
        marks = [mark for group in figure.panel(report).groups for mark in group.marks]
        drawn = [tuple(map(float, line.get_segments()[0][:, 0])) for line in ax.collections]
        assert drawn == [(m.measurement.low, m.measurement.high) for m in marks if m.measurement]


def test_the_map_shows_every_cell_that_can_be_stood_on_with_its_half_width(
    report: PredictionReport,
) -> None:
    ax = Figure().add_subplot()
    power_map_figure.draw(ax, report)
    words = [text.get_text() for text in ax.texts if text.get_text()]
    assert len([word for word in words if re.fullmatch(r"0\.\d{3}", word)]) == 10
    assert words.count("±0.010") == 10
    assert words.count("S") == 1
    values = ax.collections[0].get_array()
    assert np.ma.count(values) == 10
    assert values[2, 3] == pytest.approx(0.78)
    assert values.mask[1, 1]
    assert values.mask[1, 2]


def test_the_scale_of_the_map_is_never_so_narrow_that_noise_looks_like_a_pattern(
    report: PredictionReport,
) -> None:
    power = np.full(12, 0.6) + np.linspace(0, 1e-4, 12)
    columns = {
        name: tuple((power + shift).tolist())
        for name, shift in (
            ("estimate", 0), ("low", -0.01), ("high", 0.01), ("simultaneous_low", -0.02),
            ("simultaneous_high", 0.02),
        )
    }  # fmt: skip
    flat = msgspec.structs.replace(report, states=msgspec.structs.replace(report.states, **columns))
    ax = Figure().add_subplot()
    power_map_figure.draw(ax, flat)
    low, high = ax.collections[0].norm.vmin, ax.collections[0].norm.vmax
    assert high - low == pytest.approx(0.06)
    assert power_map_figure.conclusion(flat) == (
        "No two cells of the map can be told apart by their POWER"
    )


def test_the_band_of_the_curve_is_the_interval(report: PredictionReport) -> None:
    ax = Figure().add_subplot()
    power_discount_figure.draw(ax, report)
    band = ax.collections[0].get_paths()[0].vertices
    for point in report.curve:
        at = np.log10(1 / (1 - point.discount))
        heights = band[np.isclose(band[:, 0], at), 1]
        assert heights.min() == pytest.approx(point.start.low)
        assert heights.max() == pytest.approx(point.start.high)


def test_conclusions_are_drawn_from_the_data(report: PredictionReport) -> None:
    assert [module.conclusion(report) for module in MODULES] == [
        "POWER ranges from 0.550 at row 0, column 0 to 0.780 at row 2, column 3",
        "At discount 0.9 POWER ranges from 0.550 in (0, 0) to 0.780 in (2, 3)",
        "60.3% of goals lose value without the oversight-reducing acts; where nothing threatens, "
        "40% do",
        "POWER of the start rises with the discount, from 0.520 at discount 0.5 to 0.670 at 0.99",
    ]
    backwards = msgspec.structs.replace(
        report,
        curve=tuple(
            msgspec.structs.replace(point, discount=1 - point.discount)
            for point in reversed(report.curve)
        ),
        acts=report.acts[1:],
        tagged=None,
    )
    assert power_discount_figure.conclusion(backwards).startswith("POWER of the start falls")
    assert optimality_figure.conclusion(backwards) == (
        "No act is surely optimal for most goals; the largest share is 29.4%"
    )


def test_the_same_prediction_gives_the_same_svg_with_ids_of_its_own(
    report: PredictionReport,
) -> None:
    first, second = prediction_figures(report), prediction_figures(report)
    assert first == second
    page = "".join(view.svg for view in first.values())
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', page)) <= set(ids)


def test_a_hostile_name_leaves_well_formed_svg(figure: ModuleType) -> None:
    attacked = hostile(sample_prediction())
    size = (5.0, 4.0) if figure is power_map_figure else None
    svg = figure_svg(figure, attacked, size=size)  # type: ignore[arg-type]
    ET.fromstring(svg)
    assert "<script" not in svg
    assert "\x1b" not in svg


def test_nothing_is_drawn_of_what_was_not_computed() -> None:
    assert set(prediction_figures(interrupted(sample_prediction()))) == {"power-map"}
    assert set(prediction_figures(sample_prediction(grid=False))) == {
        "power-states", "optimality", "power-discount",
    }  # fmt: skip


def shifted(report: PredictionReport, by: float) -> PredictionReport:
    """The prediction for rewards that are all higher by `by`."""
    states = msgspec.structs.replace(
        report.states,
        **{
            field: tuple(value + by for value in getattr(report.states, field))
            for field in ("estimate", "low", "high", "simultaneous_low", "simultaneous_high")
        },
    )
    curve = []
    for at in report.curve:
        start = at.start
        assert start.estimate is not None and start.low is not None and start.high is not None
        moved = msgspec.structs.replace(
            start, estimate=start.estimate + by, low=start.low + by, high=start.high + by
        )
        curve.append(msgspec.structs.replace(at, start=moved))
    return msgspec.structs.replace(report, states=states, curve=tuple(curve))


def test_figures_of_very_large_rewards_tell_states_and_discounts_apart(
    report: PredictionReport,
) -> None:
    """What tells them apart is in the sixth digit and later."""
    large = shifted(report, 1e6)
    for figure in (power_map_figure, power_discount_figure):
        numbers = [float(found) for found in re.findall(r"\d{6,}\.?\d*", figure.conclusion(large))]
        small = [float(found) for found in re.findall(r"\d\.\d{3}", figure.conclusion(report))]
        assert len(numbers) == len(small) == 2
        assert numbers == pytest.approx([1e6 + value for value in small], rel=0, abs=0.006)
    ax = Figure().add_subplot()
    power_map_figure.draw(ax, large)
    words = [text.get_text() for text in ax.texts if text.get_text().startswith("1000")]
    assert len(set(words)) > 1


@pytest.mark.parametrize("value", [999.9, 1e3, 123_456.789, 1e6, 1e6 + 0.25, 1e8, -4_321_000.5])
def test_a_large_number_is_shown_to_a_hundredth(value: float) -> None:
    assert float(number(value)) == pytest.approx(value, rel=0, abs=0.006)
