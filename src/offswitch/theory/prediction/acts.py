"""What is predicted of acts: for how many goals they are optimal, needed, worth more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.executor import Executor
from offswitch.mdp.model import FiniteMDP
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data
from offswitch.statistics.proportion import proportion_measurement
from offswitch.theory.certificates.certificate import (
    COPIES_SOURCE,
    DISCOUNTS,
    SOURCES,
    Certificate,
    NoCertificate,
)
from offswitch.theory.certificates.certify import certify
from offswitch.theory.certificates.verify import verify_certificate
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.optimal_actions import TIE
from offswitch.theory.optimality import Optimality, optimality
from offswitch.theory.prediction.act_goals import Weighed, ask_goals
from offswitch.theory.prediction.report import ActPrediction, CertificateFinding, TaggedActs
from offswitch.theory.prediction.subject import PredictionSubject
from offswitch.theory.sampling.goal_blocks import goal_blocks

__all__ = ["ActQuestion", "JudgedAct", "judged_acts", "predict_acts", "predict_tagged"]

GOALS = 1024
"""Goals of a share where no number is asked: its interval is at most 0.062 wide."""
BUDGET = 20_000
"""Choices a search for a certificate may try: a second at most."""
UNIT = "share of goals"


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
    """Everything that is predicted of `acts`; `progress` is told how many goals have answered."""
    mdp = question.mdp
    found = optimality(
        mdp, discount=question.discount, rewards=question.law, samples=question.n,
        seed=question.seed, level=question.level, executor=question.executor,
    )  # fmt: skip
    weighed = [Weighed(a.state, a.action, a.other) for a in acts if a.other is not None]
    answers = ask_goals(
        mdp, goal_blocks(mdp, question.law, question.n, question.seed), weighed,
        [act.tagged for act in acts], discount=question.discount, executor=question.executor,
        progress=progress,
    )  # fmt: skip
    gains = iter(answers.gain)
    return tuple(
        ActPrediction(
            action=mdp.action_names[act.action],
            state=mdp.state_names[act.state],
            other=None if act.other is None else mdp.action_names[act.other],
            tagged_states=int(act.tagged[:, act.action].sum()),
            optimal=_optimal(found, act),
            needed=_share(question, "needed", fall, error),
            raises_value=no_data("raises_value", level=question.level, unit=UNIT)
            if act.other is None
            else _share(question, "raises_value", next(gains), answers.gain_error),
            certificate=_certified(mdp, act.state, (act.action,), act.other),
        )
        for act, fall, error in zip(acts, answers.fall, answers.fall_error, strict=True)
    )


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
    nothing = no_data("tagged_needed", level=question.level, unit=UNIT, missing=question.n)
    state = int(order[int(np.argmax(tagged[order].any(axis=1)))])
    here = tuple(int(action) for action in np.flatnonzero(tagged[state]))
    others = np.flatnonzero(mdp.available[state] & ~tagged[state])
    return TaggedActs(
        label=subject.tag_label,
        optimal=event.optimal,
        needed=nothing if event.forced else event.needed,
        state=mdp.state_names[state],
        certificate=_certified(mdp, state, here, int(others[0]) if len(others) else None),
    )


def _optimal(found: Optimality, act: JudgedAct) -> Measurement:
    at = (act.state, act.action)
    near = int(found.near[at])
    return Measurement(
        name="optimal", estimate=float(found.probability[at]), low=float(found.low[at]),
        high=float(found.high[at]), level=found.level, n=found.n, unit=UNIT, seed=found.seed,
        method="clopper-pearson" + f", with {near} goals too close to call" * bool(near),
    )  # fmt: skip


def _share(
    question: ActQuestion, name: str, worth: NDArray[np.float64], error: NDArray[np.float64]
) -> Measurement:
    """The share of goals to which `worth [n]` is certainly more than a tie."""
    if np.isinf(worth).all():  # forced: that says nothing of goals
        return no_data(name, level=question.level, unit=UNIT, missing=question.n)
    more, unsure = worth - error > TIE, np.abs(worth - TIE) <= error
    share = proportion_measurement(
        name, int(more.sum()), int((~unsure).sum()), method="clopper-pearson",
        level=question.level, missing=int(unsure.sum()), unit=UNIT,
    )  # fmt: skip
    return msgspec.structs.replace(share, seed=question.seed)


def _certified(
    mdp: FiniteMDP, state: int, actions: tuple[int, ...], other: int | None
) -> CertificateFinding:
    """The certificate that `actions` are favoured over `other`, checked by the verifier."""
    if other is None:
        return CertificateFinding(found=False, statement="there is nothing else to do")
    found = certify(mdp, state, actions, other, budget=BUDGET)
    if isinstance(found, NoCertificate):
        return CertificateFinding(found=False, statement=found.text)
    problems = verify_certificate(mdp, found).problems
    if problems:
        return CertificateFinding(found=False, statement=f"not verified: {'; '.join(problems)}")
    both = len(actions) == 1 and isinstance(
        certify(mdp, state, other, actions[0], theorem=found.theorem, budget=BUDGET), Certificate
    )
    return CertificateFinding(
        found=True,
        both_ways=both,
        statement=_proven(mdp, found, both_ways=both),
        source=SOURCES[found.theorem] + (f"; {COPIES_SOURCE}" if found.copies > 1 else ""),
        certificate=found,
    )


def _proven(mdp: FiniteMDP, found: Certificate, *, both_ways: bool) -> str:
    """What a certificate shows, in the names of the process."""
    acts = " or ".join(f"'{mdp.action_names[action]}'" for action in found.actions)
    other = f"'{mdp.action_names[found.other]}'"
    claim = {
        "optimality": f"{acts} is likelier to be optimal than {other}",
        "average-optimality": f"beginning with {acts} is likelier to be best on average than with "
        f"{other}",
        "power": f"{acts} leads to more POWER than {other}",
    }[found.theorem]
    times = "as often as" if found.copies == 1 else f"{found.copies} times as often as"
    strict = ", for some law more often" if found.strict_state is not None else ""
    same = "; and the other way round, so neither is favoured" if both_ways else ""
    return (
        f"{claim} at least {times} the reverse{strict}{same} (over the permutations of any law of "
        f"state rewards, {DISCOUNTS[found.theorem]})"
    )
