"""The search for a worst case: successive halving over sampled effort, then polishing.

Sobol points fill the space and are evaluated with little effort (few goals, few episodes); the
worst of them go on to more (successive halving: Jamieson and Talwalkar 2016, arXiv 1502.07943). The
knobs of the best one are then turned by Nelder and Mead's simplex, and each knob is turned away
from it until the measure falls, by bisection, so that the search shows how little it takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from offswitch.audit.worst_case_measure import Evaluation
from offswitch.audit.worst_case_report import PathPoint, Scenario, Threshold
from offswitch.audit.worst_case_space import Space
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data

__all__ = ["Answers", "Effort", "Found", "search"]

Phase = Literal["sample", "polish", "threshold"]
Answers = Callable[[Sequence[Scenario], float], Sequence[Evaluation]]
"""Evaluates scenarios with a share of the full effort."""
Effort = float

KEPT = 4
"""One in so many goes on to the next rung, with as many times the effort."""
EFFORTS = (1 / 16, 1 / 4, 1.0)
SAMPLED_SHARE, POLISHED_SHARE = 0.45, 0.3
"""Shares of the budget: for all rungs together, and for the simplex."""
WORST = 1.0 - 1e-12
"""Nothing can be worse than 1."""
PRECISION = 2.0**-11
"""To which a threshold is found, of the knob's range."""


@dataclass(frozen=True)
class Found:
    """What the search comes to."""

    scenario: Scenario
    value: float
    """Of the winner at full effort, as the search saw it."""
    thresholds: tuple[Threshold, ...]
    path: tuple[PathPoint, ...]


class _BudgetSpentError(Exception):
    """The search may ask nothing more."""


class _Ledger:
    """What was asked and answered; a scenario that is asked again costs nothing."""

    def __init__(self, answers: Answers, budget: int) -> None:
        self._answers = answers
        self._budget = budget
        self._known: dict[tuple[str, float], float | None] = {}
        self.path: list[PathPoint] = []

    @property
    def left(self) -> int:
        """Evaluations that may still be asked."""
        return self._budget - len(self.path)

    def values(
        self, scenarios: Sequence[Scenario], effort: Effort, phase: Phase
    ) -> list[float | None]:
        """The measure of every scenario.

        Raises:
            _BudgetSpentError: there are more new ones than may be asked.
        """
        new = {_name(one): one for one in scenarios if (_name(one), effort) not in self._known}
        if len(new) > self.left:
            raise _BudgetSpentError
        for (name, scenario), answer in zip(
            new.items(), self._answers([*new.values()], effort), strict=True
        ):
            self._known[name, effort] = answer.value
            self.path.append(
                PathPoint(phase=phase, scenario=scenario, effort=effort, value=answer.value)
            )
        return [self._known[_name(one), effort] for one in scenarios]


def _name(scenario: Scenario) -> str:
    return msgspec.json.encode(scenario, order="sorted").decode()


def search(space: Space, answers: Answers, *, budget: int, graded: bool, seed: int) -> Found | None:
    """The worst scenario within `budget` evaluations; None where none of them could be staged.

    `graded`: whether less effort than the full one is cheaper at all.
    """
    ledger = _Ledger(answers, budget)
    point, value = _halved(space, ledger, budget, graded=graded, seed=seed)
    if value is None:
        return None
    best = (value, space.scenario(point))
    if value < WORST and space.knobs:
        best = _polished(space, ledger, point, best, int(budget * POLISHED_SHARE))
    thresholds = _thresholds(space, ledger, *best)
    return Found(best[1], best[0], thresholds, tuple(ledger.path))


def _halved(
    space: Space, ledger: _Ledger, budget: int, *, graded: bool, seed: int
) -> tuple[NDArray[np.float64], float | None]:
    """The worst of the sampled points, and its value at full effort."""
    efforts = EFFORTS if graded else EFFORTS[-1:]
    cost = sum(KEPT**-rung for rung in range(len(efforts)))
    count = 2 ** max(0, int(np.log2(max(1.0, budget * SAMPLED_SHARE / cost))))
    from scipy.stats import qmc  # lazy: it takes most of a second to import

    drawn = qmc.Sobol(space.dimensions, seed=np.random.default_rng(seed)).random(count)
    points = np.vstack([space.default, drawn[1:]])  # what a world is like anyway is a case too
    values: list[float | None] = []
    for rung, effort in enumerate(efforts):
        if rung:
            order = sorted(range(len(points)), key=lambda at: _badness(values[at]), reverse=True)
            points = points[order[: max(1, len(points) // KEPT)]]
        values = ledger.values([space.scenario(one) for one in points], effort, "sample")
    worst = max(range(len(points)), key=lambda at: _badness(values[at]))
    return points[worst], values[worst]


def _badness(value: float | None) -> float:
    return -1.0 if value is None else value


def _polished(
    space: Space,
    ledger: _Ledger,
    point: NDArray[np.float64],
    best: tuple[float, Scenario],
    most: int,
) -> tuple[float, Scenario]:
    """The worst that the simplex finds from `point`, its factors held."""
    seen = [best]

    def good(turned: NDArray[np.float64]) -> float:
        scenario = space.scenario(np.concatenate([turned, point[len(space.knobs) :]]))
        (value,) = ledger.values([scenario], 1.0, "polish")
        seen.append((_badness(value), scenario))
        return -_badness(value)

    with contextlib.suppress(_BudgetSpentError):  # what it has found by then counts
        optimize.minimize(
            good, point[: len(space.knobs)], method="Nelder-Mead",
            bounds=[(0.0, 1.0)] * len(space.knobs),
            options={"maxfev": most, "xatol": 1e-3, "fatol": 1e-4},
        )  # fmt: skip
    return max(seen, key=lambda one: one[0])


def _thresholds(
    space: Space, ledger: _Ledger, value: float, winner: Scenario
) -> tuple[Threshold, ...]:
    return tuple(
        Threshold(knob=knob, at=_threshold(ledger, value, winner, knob, ends))
        for knob, ends in space.knobs.items()
        if value > 0
    )


def _threshold(
    ledger: _Ledger, value: float, winner: Scenario, knob: str, ends: tuple[float, float]
) -> Measurement:
    """Where the measure falls below half of the winner's, towards either end of the knob."""
    before, half = ledger.left, value / 2

    def excess(at: float) -> float:
        turned = msgspec.structs.replace(winner, knobs={**winner.knobs, knob: at})
        (found,) = ledger.values([turned], 1.0, "threshold")
        return _badness(found) - half

    width = (ends[1] - ends[0]) * PRECISION
    try:
        far = next((end for end in ends if excess(end) < 0), None)
        if far is None:
            return no_data(f"threshold_{knob}", unit=knob)
        low, high = sorted((winner.knobs[knob], far))
        at = float(optimize.bisect(excess, low, high, xtol=width))
    except _BudgetSpentError:
        return no_data(f"threshold_{knob}", unit=knob, missing=1)
    return Measurement(
        name=f"threshold_{knob}", estimate=at, low=max(ends[0], at - width),
        high=min(ends[1], at + width), n=before - ledger.left, unit=knob, method="bisection",
    )  # fmt: skip
