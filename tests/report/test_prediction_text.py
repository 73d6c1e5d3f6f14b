from __future__ import annotations

import shlex

import msgspec
import pytest
from sample_prediction import hostile, interrupted, measurement, sample_prediction, undecided

from offswitch.report.power_numbers import power_interval, power_number
from offswitch.report.prediction_finding import (
    NO_CERTIFICATE,
    extreme_states,
    finding,
    predict_command,
    prediction_warnings,
    told_apart,
)
from offswitch.report.prediction_text import prediction_text
from offswitch.statistics.proportion import proportion_measurement
from offswitch.theory.prediction.shares import forced_share, widened_share


@pytest.mark.parametrize("width", [80, 60, 40])
@pytest.mark.parametrize("change", [lambda r: r, hostile, interrupted, undecided])
def test_no_line_is_wider_than_the_terminal_and_no_escape_gets_through(change, width):
    text = prediction_text(change(sample_prediction()), width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_markup_in_a_name_is_printed_as_it_is():
    assert "[bold]" in prediction_text(hostile(sample_prediction())).replace("\n", "")


def test_every_part_of_the_prediction_is_printed():
    text = " ".join(prediction_text(sample_prediction()).split())
    for words in (
        "60.3% (95% interval 57.2% to 63.3%) lose value unless the agent may take",
        "highest: (2, 3) 0.780 [0.770, 0.790] 512",
        "lowest: (0, 1)",
        "disable 0.603 n=1024 0.393 n=1024 0.792 n=1024",
        f"copy: {NO_CERTIFICATE}",
        "Turner et al. 2021, Prop. 6.9",
        "0.99 0.670 n=512",
        "Stoppability: after 'disable'",
        "seed 0",
    ):
        assert words in text, words


def test_an_interrupted_prediction_says_so_first():
    text = prediction_text(interrupted(sample_prediction()))
    assert text.index("WARNING: Interrupted by hand") < text.index("POWER of")
    assert finding(interrupted(sample_prediction())).tone == "doubtful"


def test_states_nobody_reaches_are_no_extremes():
    report = sample_prediction()
    top, bottom = extreme_states(report, 11)
    assert 5 not in top + bottom
    assert len(top + bottom) == 11
    top, bottom = extreme_states(report, 3)
    assert (top, bottom) == ([11, 10, 9], [0, 1, 2])


def test_only_simultaneous_intervals_tell_states_apart():
    report = sample_prediction()
    assert told_apart(report, 11, 0)
    assert not told_apart(report, 1, 0)  # pointwise they are apart, all at once they are not
    assert report.states.low[1] > report.states.high[0]


@pytest.mark.parametrize(
    ("events", "tone"), [(617, "resists"), (500, "doubtful"), (0, "quiet"), (60, "doubtful")]
)
def test_the_tone_is_judged_by_the_interval_of_the_share_that_needs_the_acts(events, tone):
    report = sample_prediction()
    assert report.tagged is not None
    needed = proportion_measurement("needed", events, 1024, method="clopper-pearson")
    tagged = msgspec.structs.replace(report.tagged, needed=needed)
    assert finding(msgspec.structs.replace(report, tagged=tagged)).tone == tone


def test_the_command_to_run_it_again_says_everything_that_was_asked():
    report = sample_prediction()
    settings = msgspec.structs.replace(
        report.settings, source="my file.json", parameters={"level": 2}, threat="pause",
        tags=("a b",), samples=64, half_width=None, seed=7, law="beta:2,5", level=0.9,
    )  # fmt: skip
    words = shlex.split(predict_command(msgspec.structs.replace(report, settings=settings)))
    assert words == [
        "offswitch", "predict", "my file.json", "--set", "level=2", "--threat", "pause", "--tag",
        "a b", "--discount", "0.9", "--discount", "0.5", "--discount", "0.99", "--samples", "64",
        "--law", "beta:2,5", "--seed", "7", "--level", "0.9",
    ]  # fmt: skip


def test_a_threat_that_changes_nothing_clearly_is_said_so_and_leaves_the_tone_doubtful():
    report = sample_prediction()
    assert "so the threat changes the share by +20.2 (+17.2 to +23.2)" in finding(report).sentence
    assert report.tagged is not None
    assert report.tagged.control is not None
    same = measurement("difference", 0.01, 0.03, 1024)
    control = msgspec.structs.replace(report.tagged.control, difference=same)
    tagged = msgspec.structs.replace(report.tagged, control=control)
    said = finding(msgspec.structs.replace(report, tagged=tagged))
    assert "no clear difference: +1.0 (-2.0 to +4.0) percentage points" in said.sentence
    assert said.tone == "doubtful"


def test_forced_acts_are_no_undecided_goals_and_undecided_goals_are_said_to_widen():
    report = sample_prediction()
    for needed, said, unsaid in (
        (forced_share("needed", 0.95), "No policy avoids disable", "cannot decide"),
        (widened_share("needed", 9, 9, 99, level=0.95, seed=0), "cannot decide", "No policy"),
    ):
        act = msgspec.structs.replace(report.acts[0], needed=needed)
        lines = " ".join(prediction_warnings(msgspec.structs.replace(report, acts=(act,))))
        assert said in lines
        assert unsaid not in lines


def test_states_as_low_as_the_lowest_are_not_called_highest():
    report = sample_prediction()
    power = (0.9, *[0.5] * 11)
    states = msgspec.structs.replace(report.states, estimate=power)
    top, bottom = extreme_states(msgspec.structs.replace(report, states=states), 5)
    assert top == [0]
    assert len(bottom) == 5


def test_large_powers_show_the_digits_that_their_interval_deserves():
    one = measurement("power", 1e6, 0.08)
    assert (power_number(one), power_interval(one)) == ("1000000.000", "[999999.920, 1000000.080]")
