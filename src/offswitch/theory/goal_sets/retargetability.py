"""Parametric retargetability, checked element by element.

Turner & Tadepalli 2022 (arXiv 2206.13477). Their Def. 3.5 (multiple retargetability) is a
condition on every parameter of an orbit; their Thm 3.6 concludes f(B) >=_most^n f(A). Here the
condition itself is checked on a finite orbit, with the witnesses given, so that a decision rule
that lacks it (labels that matter, options never explored) is told apart from one that has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.numbers import number_array
from offswitch.theory.goal_sets.orbits import DECIMALS, OrbitCount, Preference, count_orbit, orbit

__all__ = ["Retargetability", "copies_problems", "retargetability", "swaps"]


@dataclass(frozen=True)
class Retargetability:
    """Whether n witnesses turn every preference for A into one for B, on one orbit."""

    n: int
    """Witnesses that were tried."""
    problems: tuple[str, ...]
    """What breaks Def. 3.5, the first of each kind; empty where it holds."""
    count: OrbitCount
    """What Thm 3.6 speaks of, counted on the same orbit."""

    @property
    def holds(self) -> bool:
        """Whether Def. 3.5 holds on this orbit."""
        return not self.problems


def swaps(a: Sequence[int], copies: Sequence[Sequence[int]], dimension: int) -> NDArray[np.int64]:
    """[n, D] the involutions that exchange the entries `a` with each of the disjoint `copies`.

    >>> swaps([0], [[1], [2]], 3).tolist()
    [[1, 0, 2], [2, 1, 0]]

    Raises:
        ModelError: the sets overlap, differ in size or leave range(D).
    """
    sets = [list(a), *(list(copy) for copy in copies)]
    flat = [entry for one in sets for entry in one]
    fits = all(0 <= entry < dimension for entry in flat) and len(set(flat)) == len(flat)
    if not fits or len({len(one) for one in sets}) != 1:
        raise ModelError(
            f"a {sets[0]} and copies {sets[1:]} are no disjoint sets of one size within "
            f"range({dimension})"
        )
    maps = np.tile(np.arange(dimension), (len(copies), 1))
    for phi, copy in zip(maps, sets[1:], strict=True):
        phi[sets[0]], phi[copy] = copy, sets[0]
    return maps


def copies_problems(involutions: ArrayLike, a: ArrayLike, b: ArrayLike) -> tuple[str, ...]:
    """What keeps `b [M, D]` from containing n copies of `a [L, D]` by these involutions `[n, D]`.

    Def. A.7: phi_i is an involution of the D coordinates, phi_i a = B_i lies in b, and phi_i leaves
    B_j in place for every j other than i. `a` and `b` are sets of lotteries or visit distributions
    over D outcomes; phi moves the entry of coordinate j to coordinate phi(j). Empty: it does.

    >>> copies_problems(swaps([0], [[1], [2]], 3), np.eye(3)[:1], np.eye(3)[1:])
    ()

    Raises:
        ModelError: the arrays do not fit together.
    """
    first, second = number_array("a", a, "[L, D]"), number_array("b", b, "[M, D]")
    maps = _checked_maps(involutions, first.shape[-1])
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ModelError(
            f"a has shape {first.shape} and b {second.shape}, expected [L, D] and [M, D]"
        )
    larger = _as_set(second)
    images = [first[:, phi] for phi in maps]  # phi is its own inverse
    problems = [
        f"involution {i} is none: applied twice it moves coordinate "
        f"{int(np.flatnonzero(phi[phi] != np.arange(len(phi)))[0])}"
        for i, phi in enumerate(maps)
        if (phi[phi] != np.arange(len(phi))).any()
    ]
    problems += [
        f"involution {i} takes a to something outside b"
        for i, image in enumerate(images)
        if not _as_set(image) <= larger
    ]
    problems += [
        f"involution {i} moves copy {j}"
        for i, phi in enumerate(maps)
        for j, image in enumerate(images)
        if i != j and _as_set(image[:, phi]) != _as_set(image)
    ]
    return tuple(problems)


def retargetability(
    parameter: ArrayLike,
    witnesses: ArrayLike,
    prefers_a: Preference,
    prefers_b: Preference,
    *,
    moved: Sequence[int] | None = None,
) -> Retargetability:
    """Whether Def. 3.5 holds on the orbit of `parameter [D]` with permutations `witnesses [n, D]`.

    For every element theta that prefers A: (1) each phi_i theta prefers B; (2) it lies in the
    orbit; (3) phi_i theta and phi_j theta' differ for i other than j, whatever theta and theta'
    prefer A. Thm 3.6 then gives `count.at_least(n)`. The elements counted are distinct ones.
    O(n P D log P).

    Raises:
        ModelError: as `orbit` and `count_orbit`, or a witness is no permutation.
    """
    elements = np.unique(orbit(parameter, moved), axis=0)
    maps = _checked_maps(witnesses, elements.shape[1])
    lead = _lead(elements, prefers_a, prefers_b)
    towards_a = elements[lead < 0]
    # Entry j goes to phi(j), so what lands at j came from the inverse.
    images = [towards_a[:, np.argsort(phi)] for phi in maps]
    known = _as_set(elements)
    problems = [
        f"witness {i} leaves an element that prefers A without preferring B: "
        f"{towards_a[int(np.flatnonzero(_lead(image, prefers_a, prefers_b) <= 0)[0])].tolist()}"
        for i, image in enumerate(images)
        if len(image) and (_lead(image, prefers_a, prefers_b) <= 0).any()
    ]
    problems += [
        f"witness {i} leaves the orbit" for i, image in enumerate(images)
        if not _as_set(image) <= known
    ]  # fmt: skip
    problems += [
        f"the images under witnesses {i} and {j} coincide somewhere"
        for i in range(len(images))
        for j in range(i)
        if _as_set(images[i]) & _as_set(images[j])
    ]
    count = count_orbit(elements, prefers_a, prefers_b)
    return Retargetability(len(maps), tuple(problems), count)


def _lead(
    thetas: NDArray[np.float64], prefers_a: Preference, prefers_b: Preference
) -> NDArray[np.float64]:
    lead: NDArray[np.float64] = np.asarray(prefers_b(thetas)) - np.asarray(prefers_a(thetas))
    return np.round(lead, DECIMALS)


def _checked_maps(maps: ArrayLike, dimension: int) -> NDArray[np.int64]:
    given = np.atleast_2d(np.asarray(maps))
    expected = np.arange(dimension)
    if given.shape[1:] != (dimension,) or (np.sort(given, axis=1) != expected).any():
        raise ModelError(
            f"permutations have shape {given.shape}, expected [n, D] orders of range({dimension})"
        )
    return given.astype(np.int64)


def _as_set(vectors: NDArray[np.float64]) -> frozenset[tuple[float, ...]]:
    # Rounded, so that coordinates computed along different ways coincide; + 0.0 joins -0 and 0.
    return frozenset(tuple(row) for row in (np.round(vectors, DECIMALS) + 0.0).tolist())
