"""An interrupt while goals answer for acts keeps the goals that have, and is never swallowed."""

from __future__ import annotations

import signal
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from offswitch.mdp.batched.executor import Executor
from offswitch.mdp.model import FiniteMDP
from offswitch.report.prediction_text import prediction_text
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.prediction import act_goals
from offswitch.theory.prediction.act_goals import Weighed, ask_goals
from offswitch.theory.prediction.predict import predict_process
from offswitch.theory.prediction.report import PredictionReport, PredictionSettings
from offswitch.theory.prediction.subject import PredictionSubject
from offswitch.theory.sampling.goal_blocks import goal_blocks

GAMMA = 0.9
PARTS = 256
"""Goals that answer at a time."""


def crossroads(n_states: int = 12, n_actions: int = 3) -> FiniteMDP:
    draw = np.random.default_rng(2)
    targets = draw.integers(n_states, size=(n_states, n_actions))
    rows = [(s, a, int(targets[s, a]), 1.0) for s in range(n_states) for a in range(n_actions)]
    return FiniteMDP.from_coo(n_states, n_actions, rows)


def predicted(samples: int, workers: int = 1, progress=None) -> PredictionReport:
    settings = PredictionSettings(
        source="test", discount=GAMMA, samples=samples, curve=(0.5, GAMMA)
    )
    return predict_process(
        PredictionSubject(crossroads(), "test"), settings, executor=Executor(workers=workers),
        progress=progress,
    )  # fmt: skip


def press_at(monkeypatch, goal: int) -> None:
    """Ctrl-C as the blocks from `goal` on are asked."""
    real = act_goals._Work.__call__

    def pressed(self, blocks):
        if blocks[-1] * 64 >= goal:
            raise KeyboardInterrupt
        return real(self, blocks)

    monkeypatch.setattr(act_goals._Work, "__call__", pressed)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_while_acts_are_asked_keeps_the_goals_that_answered(monkeypatch, workers):
    """What is kept is to the last bit what a run of so many goals says."""
    whole = predicted(512)
    press_at(monkeypatch, 512)
    report = predicted(1024, workers)
    assert report.interrupted
    assert [point.discount for point in report.curve] == [GAMMA]
    assert len(report.acts) == 3
    for act, asked in zip(report.acts, whole.acts, strict=True):
        assert act.needed == asked.needed
        assert act.raises_value == asked.raises_value
        assert act.needed.n + act.needed.missing == 512
        assert act.optimal.n == 1024
    text = prediction_text(report)
    assert "Interrupted by hand" in text
    assert "n=512" in text


@pytest.mark.slow
def test_an_interrupt_as_the_last_goals_are_told_keeps_them_all_and_is_not_lost():
    def press(what: str, n: int, _half_width: float | None) -> None:
        if what == "acts" and n == 512:
            raise KeyboardInterrupt

    report = predicted(512, progress=press)
    assert report.interrupted
    assert [point.discount for point in report.curve] == [GAMMA]
    assert [act.needed for act in report.acts] == [act.needed for act in predicted(512).acts]


def test_an_interrupt_before_a_goal_has_answered_leaves_acts_without_data(monkeypatch):
    press_at(monkeypatch, 0)
    report = predicted(512)
    assert report.interrupted
    assert [act.needed.method for act in report.acts] == ["no data"] * 3
    assert all(act.optimal.n == 512 for act in report.acts)


@pytest.mark.parametrize(("told", "goal"), [(True, 0), (False, 0), (False, PARTS)])
def test_an_interrupt_propagates_where_nobody_could_see_that_goals_are_missing(
    monkeypatch, told, goal
):
    press_at(monkeypatch, goal)
    goals = goal_blocks(crossroads(), Uniform(), 1024, 0)
    heard: list[int] = []
    progress = {"progress": heard.append} if told else {}
    with pytest.raises(KeyboardInterrupt):
        ask_goals(
            crossroads(), goals, [Weighed(0, 0, 1)], [], discount=GAMMA,
            executor=Executor(workers=1), **progress,
        )  # fmt: skip
    assert heard == []


SCRIPT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
import msgspec, numpy as np
from offswitch.mdp.batched.executor import Executor
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.prediction.predict import predict_process
from offswitch.theory.prediction.report import PredictionSettings
from offswitch.theory.prediction.subject import PredictionSubject
targets = np.random.default_rng(2).integers(12, size=(12, 3))
rows = [(s, a, int(targets[s, a]), 1.0) for s in range(12) for a in range(3)]
def tell(what, n, half_width):
    print(what, n, flush=True)
    if (what, n) == ("acts", 512):
        sys.stdin.readline()
report = predict_process(
    PredictionSubject(FiniteMDP.from_coo(12, 3, rows), "test"),
    PredictionSettings(source="test", discount=0.99, samples=1024, curve=(0.5, 0.99)),
    executor=Executor(workers=1), progress=tell,
)
print(msgspec.json.encode(report).decode(), flush=True)
"""


@pytest.mark.slow
def test_a_real_sigint_while_acts_are_asked_keeps_the_goals_that_answered():
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert any(line == "acts 512\n" for line in lines)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    report = msgspec.json.decode(out.splitlines()[-1], type=PredictionReport)
    assert report.interrupted
    assert [point.discount for point in report.curve] == [0.99]
    assert [act.needed.n + act.needed.missing for act in report.acts] == [512] * 3
