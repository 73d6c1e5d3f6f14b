"""When a planner acts in a region it does not care about: Benson-Tilsen & Soares 2016.

The universe is n regions. In each step the agent acts in every region; an act needs resources and
yields resources, and all acts of a step share one pool. After k steps the utility is a sum over
regions, U = sum_i U_i(s_i). Acts that return no more than they need are null; the others gain
something. Resources are counted here, where the paper has sets of them; a set is a count of 0 or 1.

A lunch is a plan for one region. It is cheap if every act returns at least what it needs, and free
if it needs nothing. One with no gain at all would be both, and would make Thm 1 false as it is
printed: here a lunch has at least one act that is not null.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError

__all__ = [
    "Planned",
    "Region",
    "RegionUse",
    "Universe",
    "care",
    "compatible",
    "is_cheap_lunch",
    "is_free_lunch",
    "outcome",
    "region_use",
    "with_lunch",
]

Strategy = Sequence[Sequence[int]]
"""[k, n] the act in each region in each step."""
MOST_NODES = 200_000
"""Joint states with resources kept at once by the planner."""


@dataclass(frozen=True, eq=False)
class Region:
    """One region of the universe. Z states, A acts, M kinds of resource."""

    following: NDArray[np.int64]
    """[Z, A] the next state; -1 where the act cannot be done."""
    needs: NDArray[np.int64]
    """[Z, A, M] resources an act takes from the pool, at least 0."""
    yields: NDArray[np.int64]
    """[Z, A, M] resources it puts back for the next step, at least 0."""
    utility: NDArray[np.float64]
    """[Z] U_i of the last state."""
    start: int = 0

    def __post_init__(self) -> None:
        """Refuses tables that do not fit together.

        Raises:
            ModelError: a shape, state or amount is wrong, or a state has no null act for nothing.
        """
        Z, A = np.shape(self.following)
        shape = np.shape(self.needs)
        if shape[:2] != (Z, A) or len(shape) != 3 or np.shape(self.yields) != shape:
            raise ModelError(
                f"needs have shape {shape} and yields {np.shape(self.yields)}, expected "
                f"[{Z}, {A}, M]"
            )
        if np.shape(self.utility) != (Z,) or not np.isfinite(self.utility).all():
            raise ModelError(f"utility has shape {np.shape(self.utility)}, expected [{Z}], finite")
        if (self.following >= Z).any() or (self.following < -1).any() or self.start not in range(Z):
            raise ModelError(f"a state is outside 0 to {Z - 1}: check following and start")
        if (self.needs < 0).any() or (self.yields < 0).any():
            raise ModelError("an act needs or yields less than nothing; expected amounts from 0")
        idle = (self.following >= 0) & ~self.needs.any(axis=2) & ~self.yields.any(axis=2)
        if not idle.any(axis=1).all():
            state = int(np.flatnonzero(~idle.any(axis=1))[0])
            raise ModelError(
                f"state {state} has no act that needs and yields nothing. Add one: in this model "
                "the agent may always leave a region alone."
            )

    @property
    def null(self) -> NDArray[np.bool_]:
        """[Z, A] acts that return no more than they need, of any resource."""
        no_gain: NDArray[np.bool_] = np.asarray((self.yields <= self.needs).all(axis=2))
        return no_gain & (self.following >= 0)


@dataclass(frozen=True, eq=False)
class Universe:
    """n regions, one pool of resources, and the number of steps after which utility counts."""

    regions: tuple[Region, ...]
    resources: tuple[int, ...]
    """[M] the pool at the start."""
    steps: int

    def __post_init__(self) -> None:
        """Refuses a pool that does not fit.

        Raises:
            ModelError: there is no region, or the pool has another number of resources.
        """
        kinds = {region.needs.shape[2] for region in self.regions}
        if not self.regions or kinds != {len(self.resources)} or min(self.resources, default=0) < 0:
            raise ModelError(
                f"resources are {self.resources}, expected one amount, at least 0, for each of the "
                f"{sorted(kinds)} kinds of the regions"
            )
        if self.steps < 1:
            raise ModelError(f"steps is {self.steps}, expected at least 1")


@dataclass(frozen=True)
class Planned:
    """What a strategy comes to."""

    utility: float
    states: tuple[int, ...]
    """[n] last states."""
    pools: tuple[tuple[int, ...], ...]
    """[k + 1, M] the pool before each step and at the end."""


@dataclass(frozen=True)
class RegionUse:
    """Whether optimal strategies act in a region, other than by null acts."""

    some: bool
    """Some optimum does."""
    every: bool
    """Every optimum does."""
    best: float
    """The largest utility."""
    best_leaving_alone: float
    """The largest utility by strategies with null acts only in the region."""


def outcome(universe: Universe, strategy: Strategy) -> Planned | None:
    """What the strategy comes to; None if it is not feasible: an act that cannot be done, or needs
    more than the pool holds.

    Raises:
        ModelError: the strategy is not `[k, n]`.
    """
    if np.shape(strategy) != (universe.steps, len(universe.regions)):
        raise ModelError(
            f"strategy has shape {np.shape(strategy)}, expected [k, n] = "
            f"[{universe.steps}, {len(universe.regions)}]"
        )
    states = tuple(region.start for region in universe.regions)
    pools = [universe.resources]
    for acts in strategy:
        moved = _moved(universe, states, pools[-1], tuple(acts))
        if moved is None:
            return None
        states, pool = moved
        pools.append(pool)
    return Planned(_utility(universe, states), states, tuple(pools))


def region_use(universe: Universe, region: int, *, tolerance: float = 1e-9) -> RegionUse:
    """Whether optimal strategies act in `region`, by trying all; utilities tie within `tolerance`.

    Keeps every joint state with its pool once per step: exponential in n.

    >>> stay = np.array([[0, 0]])
    >>> nothing = np.zeros((1, 2, 1), dtype=int)
    >>> mine = Region(stay, nothing, nothing + [[[0], [1]]], np.zeros(1))
    >>> use = region_use(Universe((mine,), (0,), 1), 0)
    >>> use.some, use.every
    (True, False)

    Raises:
        ModelError: there is no such region, or more than 200000 joint states at once.
    """
    if region not in range(len(universe.regions)):
        raise ModelError(f"region is {region}, expected 0 to {len(universe.regions) - 1}")
    start = tuple(part.start for part in universe.regions)
    layer = {(start, universe.resources, False)}
    for _ in range(universe.steps):
        layer = {
            (states, pool, used or not _is_null(universe, region, before, acts))
            for before, held, used in layer
            for acts in _joint_acts(universe, before)
            if (moved := _moved(universe, before, held, acts)) is not None
            for states, pool in [moved]
        }
        if len(layer) > MOST_NODES:
            raise ModelError(
                f"more than {MOST_NODES} joint states after a step. Use fewer regions or steps."
            )
    value = {used: [_utility(universe, s) for s, _, u in layer if u == used] for used in (0, 1)}
    acting, alone = (max(value[used], default=-np.inf) for used in (1, 0))
    best = max(acting, alone)
    return RegionUse(
        some=acting >= best - tolerance,
        every=alone < best - tolerance,
        best=best,
        best_leaving_alone=alone,
    )


def is_cheap_lunch(universe: Universe, region: int, plan: Sequence[int]) -> bool:
    """Whether `plan [k]`, acts for one region, is a cheap lunch: each act returns at least what it
    needs, of every resource, and one returns more."""
    gains = [(yields - needs) for needs, yields in _plan(universe, region, plan) or ()]
    preserving = all((gain >= 0).all() for gain in gains)
    return len(gains) == universe.steps and preserving and any(gain.any() for gain in gains)


def is_free_lunch(universe: Universe, region: int, plan: Sequence[int]) -> bool:
    """Whether `plan [k]` is a cheap lunch that needs nothing."""
    steps = _plan(universe, region, plan) or []
    return is_cheap_lunch(universe, region, plan) and not any(n.any() for n, _ in steps)


def compatible(universe: Universe, strategy: Strategy, region: int, plan: Sequence[int]) -> bool:
    """Whether what `plan` needs in `region` is in the pool at each step, and not used elsewhere by
    the strategy, whatever it does in the region itself."""
    found, steps = outcome(universe, strategy), _plan(universe, region, plan)
    if found is None or steps is None:
        return False
    states = tuple(part.start for part in universe.regions)
    for acts, pool, (needs, _) in zip(strategy, found.pools, steps, strict=False):
        elsewhere = sum(
            (part.needs[states[i], acts[i]] for i, part in enumerate(universe.regions)
             if i != region), start=np.zeros(len(pool), dtype=np.int64)
        )  # fmt: skip
        if (needs + elsewhere > pool).any():
            return False
        states = tuple(
            int(part.following[states[i], acts[i]]) for i, part in enumerate(universe.regions)
        )
    return True


def with_lunch(strategy: Strategy, region: int, plan: Sequence[int]) -> list[list[int]]:
    """The strategy with its acts in `region` replaced by `plan`: the paper's conjugate."""
    return [
        [plan[step] if i == region else act for i, act in enumerate(acts)]
        for step, acts in enumerate(strategy)
    ]


def care(universe: Universe, region: int) -> float:
    """How much U can depend on the region: max |U_i(s) - U_i(s')| (Thm 3); 0 is indifference."""
    return float(np.ptp(universe.regions[region].utility))


def _joint_acts(universe: Universe, states: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    able = [
        np.flatnonzero(region.following[state] >= 0).tolist()
        for region, state in zip(universe.regions, states, strict=True)
    ]
    return itertools.product(*able)


def _moved(
    universe: Universe, states: tuple[int, ...], pool: tuple[int, ...], acts: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """States and pool after one step: what was not used, and what the acts gave back."""
    left = np.array(pool, dtype=np.int64)
    given = np.zeros_like(left)
    following = []
    for region, state, act in zip(universe.regions, states, acts, strict=True):
        if act not in range(region.following.shape[1]) or region.following[state, act] < 0:
            return None
        left = left - region.needs[state, act]
        given = given + region.yields[state, act]
        following.append(int(region.following[state, act]))
    if (left < 0).any():
        return None
    return tuple(following), tuple((left + given).tolist())


def _plan(
    universe: Universe, region: int, plan: Sequence[int]
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]] | None:
    """What each act of a plan for one region needs and yields; None if it cannot be done."""
    part = universe.regions[region]
    state, steps = part.start, []
    for act in plan:
        if act not in range(part.following.shape[1]) or part.following[state, act] < 0:
            return None
        steps.append((part.needs[state, act], part.yields[state, act]))
        state = int(part.following[state, act])
    return steps if len(steps) == universe.steps else None


def _is_null(
    universe: Universe, region: int, states: tuple[int, ...], acts: tuple[int, ...]
) -> bool:
    return bool(universe.regions[region].null[states[region], acts[region]])


def _utility(universe: Universe, states: tuple[int, ...]) -> float:
    pairs = zip(universe.regions, states, strict=True)
    return float(sum(region.utility[state] for region, state in pairs))
