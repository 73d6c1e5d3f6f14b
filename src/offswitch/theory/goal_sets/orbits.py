"""Orbits counted by brute force: in how many relabellings of a goal an outcome is preferred.

Turner & Tadepalli 2022 (arXiv 2206.13477), Def. 3.2: f(B) >=_most^n f(A) where for every parameter
theta at least n times as many elements of its orbit have f(B) > f(A) as have f(B) < f(A). It is the
test oracle of the symmetry certificates, which need no counting.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.numbers import number_array
from offswitch.theory.rules.ranks import value_ranks
from offswitch.theory.rules.rule import ChoiceRule

__all__ = [
    "MOST_PERMUTED",
    "OrbitCount",
    "Preference",
    "chance_of",
    "count_orbit",
    "is_optimal_in",
    "orbit",
    "smallest_ratio",
]

MOST_PERMUTED = 9
"""9! = 362 880 relabellings are counted in seconds, 10! in minutes."""
DECIMALS = 10
"""Probabilities that agree to so many places count as equal."""

Preference = Callable[[NDArray[np.float64]], ArrayLike]
"""From parameters `[P, D]` to how strongly each of them prefers, `[P]`."""


@dataclass(frozen=True)
class OrbitCount:
    """How the elements of one orbit, or of several, divide between A and B."""

    prefers_b: int
    """Elements with f(B) > f(A)."""
    prefers_a: int
    """Elements with f(A) > f(B)."""
    indifferent: int
    """Elements with f(A) = f(B)."""

    @property
    def ratio(self) -> float:
        """prefers_b over prefers_a: infinite if A is never preferred, NaN if neither ever is."""
        if self.prefers_a == 0:
            return math.inf if self.prefers_b else math.nan
        return self.prefers_b / self.prefers_a

    @property
    def share_not_a(self) -> Fraction:
        """The share of elements with f(B) >= f(A); Lemma B.3 bounds it by n / (n + 1)."""
        total = self.prefers_a + self.prefers_b + self.indifferent
        return Fraction(total - self.prefers_a, total)

    def at_least(self, n: int) -> bool:
        """Whether f(B) >=^n f(A) on what was counted."""
        return self.prefers_b >= n * self.prefers_a


def orbit(parameter: ArrayLike, moved: Sequence[int] | None = None) -> NDArray[np.float64]:
    """[P, D] every relabelling of `parameter [D]`, by permuting the entries `moved` (all of them).

    Relabellings that coincide are listed as often as they occur, which changes no ratio: each
    element of an orbit occurs equally often. O(P D), P = (number moved)!.

    >>> orbit([1.0, 2.0, 9.0], moved=[0, 1]).tolist()
    [[1.0, 2.0, 9.0], [2.0, 1.0, 9.0]]

    Raises:
        ModelError: the parameter is no vector, more than 9 entries move, or one is moved twice.
    """
    theta = number_array("parameter", parameter, "[D]")
    if theta.ndim != 1:
        raise ModelError(f"parameter has shape {theta.shape}, expected [D]")
    entries = list(range(len(theta)) if moved is None else moved)
    distinct = sorted(set(entries))
    if len(distinct) < len(entries) or not all(0 <= entry < len(theta) for entry in entries):
        raise ModelError(f"moved is {entries}, expected distinct numbers in [0, {len(theta)})")
    if len(entries) > MOST_PERMUTED:
        raise ModelError(
            f"{len(entries)} entries move, expected at most {MOST_PERMUTED}: their relabellings "
            f"would be {math.factorial(len(entries)):,}. Count a part of them with `moved`, or use "
            "a certificate."
        )
    orders = np.array(list(itertools.permutations(entries)), dtype=np.int64)
    images = np.repeat(theta[None], len(orders), axis=0)
    images[:, entries] = theta[orders]
    return images


def count_orbit(parameters: ArrayLike, prefers_a: Preference, prefers_b: Preference) -> OrbitCount:
    """How many of the `parameters [P, D]`, an orbit, prefer B, A or neither.

    >>> count_orbit(orbit([1.0, 2.0, 3.0]), lambda u: u[:, 0], lambda u: u[:, 1:].max(axis=1))
    OrbitCount(prefers_b=4, prefers_a=2, indifferent=0)

    Raises:
        ModelError: a preference returns something else than one number per parameter.
    """
    thetas = number_array("parameters", parameters, "[P, D]")
    strengths = [np.asarray(prefer(thetas), np.float64) for prefer in (prefers_a, prefers_b)]
    for strength in strengths:
        if strength.shape != (len(thetas),) or np.isnan(strength).any():
            raise ModelError(
                f"a preference returned shape {strength.shape}, expected [P] = [{len(thetas)}] "
                "numbers, one for each parameter"
            )
    lead = np.round(strengths[1] - strengths[0], DECIMALS)
    more, less = int((lead > 0).sum()), int((lead < 0).sum())
    return OrbitCount(more, less, len(thetas) - more - less)


def smallest_ratio(
    parameters: ArrayLike,
    prefers_a: Preference,
    prefers_b: Preference,
    *,
    moved: Sequence[int] | None = None,
) -> float:
    """The smallest `OrbitCount.ratio` over the orbits of `parameters [N, D]`, NaN orbits left out.

    The largest n for which what was tried does not refute f(B) >=_most^n f(A); infinite where A is
    never preferred. O(N P D).

    Raises:
        ModelError: as `orbit` and `count_orbit`.
    """
    thetas = number_array("parameters", parameters, "[N, D]")
    ratios = [count_orbit(orbit(one, moved), prefers_a, prefers_b).ratio for one in thetas]
    return min((ratio for ratio in ratios if not math.isnan(ratio)), default=math.inf)


def chance_of(rule: ChoiceRule, outcomes: Sequence[int]) -> Preference:
    """The preference that is the probability with which `rule` chooses one of `outcomes`.

    Parameters are the utilities `[P, D]` of the D outcomes.

    >>> from offswitch.theory.rules.best_of_k import BestOfK
    >>> chance_of(BestOfK(2), [1, 2])(np.array([[3.0, 2.0, 1.0]])).round(3).tolist()
    [0.444]
    """

    def chance(utility: NDArray[np.float64]) -> NDArray[np.float64]:
        taken: NDArray[np.float64] = rule.chances(utility)[:, list(outcomes)].sum(axis=1)
        return taken

    return chance


def is_optimal_in(outcomes: Sequence[int]) -> Preference:
    """The preference that is 1 where one of `outcomes` is optimal, tied or not, else 0.

    IsOptimal of Turner & Tadepalli 2022; two sets that tie are both preferred alike.

    >>> is_optimal_in([0])(np.array([[2.0, 2.0], [1.0, 2.0]])).tolist()
    [1.0, 0.0]
    """

    def optimal(utility: NDArray[np.float64]) -> NDArray[np.float64]:
        ranks = value_ranks(utility)
        best: NDArray[np.bool_] = ranks[:, list(outcomes)].max(axis=1) == ranks.max(axis=1)
        return best.astype(np.float64)

    return optimal
