"""What is predicted of acts: for how many goals they are optimal, needed, worth more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.executor import Executor
from offswitch.mdp.model import FiniteMDP
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.optimality import Optimality, optimality
from offswitch.theory.prediction.act_goals import GoalAnswers, Weighed, ask_goals
from offswitch.theory.prediction.control import control_goals
from offswitch.theory.prediction.proofs import proven_preference
from offswitch.theory.prediction.report import ActPrediction, TaggedActs, TaggedControl
from offswitch.theory.prediction.shares import (
    UNIT,
    forced_share,
    paired_difference,
    share_of,
    widened_share,
)
from offswitch.theory.prediction.subject import PredictionSubject
from offswitch.theory.reward_units import tie_of
from offswitch.theory.sampling.goal_blocks import GoalBlocks, goal_blocks

__all__ = [
    "ActQuestion",
    "JudgedAct",
    "judged_acts",
    "optimality_level",
    "predict_acts",
    "predict_tagged",
]

GOALS = 1024
"""Goals of a share where no number is asked: its interval is at most 0.062 wide."""
Decided: TypeAlias = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""([n] certainly so, [n] undecided)."""


@dataclass(frozen=True, eq=False)
class JudgedAct:
    """An action in a state, what it is weighed against, and everywhere it is tagged."""

    state: int
    action: int
    other: int | None
    tagged: NDArray[np.bool_]
    """[S, A]."""


@dataclass(frozen=True, eq=False)
class ActQuestion:
    """What is asked of every act, and by which goals it is answered."""

    mdp: FiniteMDP
    law: RewardLaw
    discount: float
    samples: int | None
    seed: int
    level: float
    executor: Executor

    @property
    def n(self) -> int:
        """Goals that are drawn."""
        return self.samples or GOALS


def judged_acts(subject: PredictionSubject, order: NDArray[np.int64]) -> list[JudgedAct]:
    """Every tagged action where it is first possible; without tags every action at the start.

    `order` are the reachable states, nearest first.
    """
    mdp = subject.mdp
    if subject.tagged is None:
        start = int(np.argmax(mdp.start))
        found = [(start, int(action)) for action in np.flatnonzero(mdp.available[start])]
        return [_judged(mdp, state, action, None) for state, action in found]
    tagged = subject.tagged & mdp.available
    acts = []
    for action in range(mdp.n_actions):
        states = order[tagged[order, action]]
        if len(states):
            acts.append(_judged(mdp, int(states[0]), action, tagged))
    return acts


def _judged(mdp: FiniteMDP, state: int, action: int, tagged: NDArray[np.bool_] | None) -> JudgedAct:
    here = np.zeros((mdp.n_states, mdp.n_actions), dtype=np.bool_)
    if tagged is None:
        here[state, action] = True
    else:
        here[:, action] = tagged[:, action]
    others = [int(other) for other in np.flatnonzero(mdp.available[state]) if other != action]
    innocent = [other for other in others if tagged is None or not tagged[state, other]]
    return JudgedAct(state, action, next(iter(innocent or others), None), here)


def predict_acts(
    question: ActQuestion, acts: Sequence[JudgedAct], progress: Callable[[int], None]
) -> tuple[ActPrediction, ...]:
    """Everything that is predicted of `acts`; `progress` is told how many goals have answered.

    Interrupted while goals answer, what they were asked together (`needed`, `raises_value`) is said
    by those that have, and has no data where none have; `optimal` and the certificates are there.
    """
    found = optimality(
        question.mdp, discount=question.discount, rewards=question.law, samples=question.n,
        seed=question.seed, level=question.level, executor=question.executor,
    )  # fmt: skip
    together = optimality_level(question.level, len(acts))
    proofs = [
        proven_preference(question.mdp, a.state, (a.action,), a.other, question.discount)
        for a in acts
    ]
    answers = None
    with contextlib.suppress(KeyboardInterrupt):  # the caller sees that answers are missing
        answers = _asked(question, acts, progress)
    gains = None if answers is None else iter(answers.gain)
    names, states = question.mdp.action_names, question.mdp.state_names
    predictions = []
    for row, (act, proof) in enumerate(zip(acts, proofs, strict=True)):
        gain = None if gains is None or act.other is None else next(gains)
        predictions.append(
            ActPrediction(
                action=names[act.action],
                state=states[act.state],
                other=None if act.other is None else names[act.other],
                tagged_states=int(act.tagged[:, act.action].sum()),
                optimal=_optimal(found, act, question.level),
                optimal_together=_optimal(found, act, together),
                needed=_needed(question, answers, row),
                raises_value=no_data("raises_value", level=question.level, unit=UNIT)
                if answers is None or gain is None
                else share_of(
                    "raises_value", *_above_tie(question, gain, answers.gain_error),
                    level=question.level, seed=question.seed,
                ),
                certificate=proof,
            )
        )  # fmt: skip
    return tuple(predictions)


def optimality_level(level: float, acts: int) -> float:
    """The level at which each of `acts` intervals is made so that all hold together (Bonferroni).

    >>> round(optimality_level(0.95, 20), 6)
    0.9975
    """
    return 1 - (1 - level) / max(acts, 1)


def predict_tagged(
    question: ActQuestion, subject: PredictionSubject, order: NDArray[np.int64]
) -> TaggedActs:
    """What is predicted of all tagged acts together; `order` as in `judged_acts`."""
    assert subject.tagged is not None  # callers ask only of processes with tags
    mdp, tagged = question.mdp, subject.tagged & question.mdp.available
    event = optimality(
        mdp, discount=question.discount, rewards=question.law, samples=question.n,
        seed=question.seed, level=question.level, executor=question.executor, tagged=tagged,
    ).tagged  # fmt: skip
    assert event is not None  # something was tagged
    goals = goal_blocks(mdp, question.law, question.n, question.seed)
    needing = _needing(question, mdp, goals, tagged)
    state = int(order[int(np.argmax(tagged[order].any(axis=1)))])
    here = tuple(int(action) for action in np.flatnonzero(tagged[state]))
    others = np.flatnonzero(mdp.available[state] & ~tagged[state])
    other = int(others[0]) if len(others) else None
    return TaggedActs(
        label=subject.tag_label,
        optimal=_both_ways(event.optimal),
        needed=forced_share("tagged_needed", question.level)
        if needing is None
        else share_of("tagged_needed", *needing, level=question.level, seed=question.seed),
        state=mdp.state_names[state],
        certificate=proven_preference(mdp, state, here, other, question.discount),
        control=_control(question, subject, goals, needing),
    )


def _control(
    question: ActQuestion,
    subject: PredictionSubject,
    goals: GoalBlocks,
    needing: Decided | None,
) -> TaggedControl | None:
    """The share of the same goals that need the acts where nothing threatens."""
    control, name, level = subject.control, "tagged_needed_control", question.level
    if control is None or needing is None:
        return None
    tagged = control.tagged & control.mdp.available
    here: Decided | None = (np.zeros(question.n, dtype=np.bool_),) * 2
    if tagged.any():
        here = _needing(question, control.mdp, control_goals(control, goals), tagged)
    if here is None:
        return TaggedControl(
            condition=control.condition,
            tagged=True,
            needed=forced_share(name, level),
            difference=no_data("tagged_needed_difference", level=level, unit=UNIT),
        )
    return TaggedControl(
        condition=control.condition,
        tagged=bool(tagged.any()),
        needed=share_of(name, *here, level=level, seed=question.seed),
        difference=paired_difference(
            "tagged_needed_difference", needing, here, level=level, seed=question.seed
        ),
    )


def _needing(
    question: ActQuestion, mdp: FiniteMDP, goals: GoalBlocks, tagged: NDArray[np.bool_]
) -> Decided | None:
    """[n] twice: goals whose optimum falls without `tagged [S, A]`; None where it is forced."""
    answers = ask_goals(
        mdp, goals, [], [tagged], discount=question.discount, executor=question.executor
    )
    if np.isinf(answers.fall).all():
        return None
    return _above_tie(question, answers.fall[0], answers.fall_error[0])


def _asked(
    question: ActQuestion, acts: Sequence[JudgedAct], progress: Callable[[int], None]
) -> GoalAnswers:
    mdp = question.mdp
    return ask_goals(
        mdp, goal_blocks(mdp, question.law, question.n, question.seed),
        [Weighed(a.state, a.action, a.other) for a in acts if a.other is not None],
        [act.tagged for act in acts], discount=question.discount, executor=question.executor,
        progress=progress,
    )  # fmt: skip


def _optimal(found: Optimality, act: JudgedAct, level: float) -> Measurement:
    at = (act.state, act.action)
    return widened_share(
        "optimal", int(found.counts[at]), int(found.near[at]), found.n, level=level,
        seed=found.seed,
    )  # fmt: skip


def _both_ways(found: Measurement) -> Measurement:
    """The share with goals too close to call, which `found` leaves out, counted both ways."""
    yes = round((found.estimate or 0.0) * found.n)
    return widened_share(
        found.name, yes, found.missing, found.n + found.missing, level=found.level,
        seed=found.seed,
    )  # fmt: skip


def _needed(question: ActQuestion, answers: GoalAnswers | None, row: int) -> Measurement:
    if answers is None:
        return no_data("needed", level=question.level, unit=UNIT)
    fall = answers.fall[row]
    if np.isinf(fall).all():  # forced: that says nothing of goals
        return forced_share("needed", question.level)
    decided = _above_tie(question, fall, answers.fall_error[row])
    return share_of("needed", *decided, level=question.level, seed=question.seed)


def _above_tie(
    question: ActQuestion, worth: NDArray[np.float64], error: NDArray[np.float64]
) -> Decided:
    """[n] whether `worth [n]` is certainly more than a tie, and whether that is undecided."""
    tie = tie_of(question.discount)
    return worth - error > tie, np.abs(worth - tie) <= error
