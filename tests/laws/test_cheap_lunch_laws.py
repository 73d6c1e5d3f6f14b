"""The theorems of Benson-Tilsen & Soares 2016, on universes small enough to try every strategy.

Strategies, lunches and what they come to are listed here; nothing is taken from the package but
the tables of the universe and the answer that is tested.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from offswitch.theory.cheap_lunch import (
    Region,
    Universe,
    care,
    compatible,
    is_cheap_lunch,
    is_free_lunch,
    outcome,
    region_use,
    with_lunch,
)

few = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
STEPS = 2
Strategy = tuple[tuple[int, ...], ...]


@st.composite
def universes(draw: st.DrawFn, *, mine: bool = False) -> Universe:
    """Region 0 and one or two others: a bit each, an idle act and one that may trade.

    With a `mine` region 0 tends to gain, the others to need, and U cares little for region 0.
    """
    regions = []
    for number in range(draw(st.integers(2, 3))):
        digs, builds = mine and number == 0, mine and number == 1
        costs = st.integers(0, 1) if digs else st.integers(int(builds), 2)
        gains = st.integers(1, 2) if digs else st.integers(0, 2)
        following, needs, yields = np.zeros((2, 2), int), *np.zeros((2, 2, 2, 1), int)
        for state in range(2):
            following[state] = [state, 1 if builds else draw(st.integers(0, 1))]
            needs[state, 1], yields[state, 1] = draw(costs), draw(gains)
        worth = draw(st.sampled_from([0.5, 1.5]) if digs else st.integers(int(builds), 3))
        regions.append(Region(following, needs, yields, np.array([0.0, worth])))
    return Universe(tuple(regions), (0 if mine else draw(st.integers(0, 1)),), STEPS)


def indifferent(universe: Universe) -> Universe:
    """The same, but that U does not care for region 0."""
    first, *others = universe.regions
    return replace(universe, regions=(replace(first, utility=np.ones(2)), *others))


def walked(region: Region, plan: tuple[int, ...]) -> tuple[list[tuple[int, int]], int]:
    """What each act of a plan for one region needs and yields, and where it ends."""
    state, trades = region.start, []
    for act in plan:
        trades.append((int(region.needs[state, act, 0]), int(region.yields[state, act, 0])))
        state = int(region.following[state, act])
    return trades, state


def by_region(universe: Universe, strategy: Strategy) -> list[tuple[Region, tuple[int, ...]]]:
    return list(zip(universe.regions, zip(*strategy, strict=True), strict=True))


def pools(universe: Universe, strategy: Strategy) -> list[int] | None:
    """The resource before each step and at the end; None if it does not suffice."""
    trades = [walked(region, plan)[0] for region, plan in by_region(universe, strategy)]
    held = list(universe.resources)
    for step in zip(*trades, strict=True):
        if sum(need for need, _ in step) > held[-1]:
            return None
        held.append(held[-1] + sum(gain - need for need, gain in step))
    return held


def worth(universe: Universe, strategy: Strategy) -> float:
    ends = [(region, walked(region, plan)[1]) for region, plan in by_region(universe, strategy)]
    return float(sum(region.utility[state] for region, state in ends))


def strategies(universe: Universe) -> list[Strategy]:
    """Every feasible one."""
    joint = itertools.product(range(2), repeat=len(universe.regions))
    every = itertools.product(list(joint), repeat=universe.steps)
    return [strategy for strategy in every if pools(universe, strategy) is not None]


def optima(universe: Universe) -> list[Strategy]:
    every = strategies(universe)
    best = max(worth(universe, strategy) for strategy in every)
    return [strategy for strategy in every if worth(universe, strategy) == best]


def gains(universe: Universe, strategy: Strategy, region: int = 0) -> bool:
    """Whether some act in the region yields more than it needs: it is not left alone."""
    plan = tuple(acts[region] for acts in strategy)
    return any(gain > need for need, gain in walked(universe.regions[region], plan)[0])


def lunches(universe: Universe, *, free: bool = False) -> list[tuple[int, ...]]:
    """Plans for region 0 that never need more than they yield, and gain once; or need nothing."""
    found = []
    for plan in itertools.product(range(2), repeat=universe.steps):
        trades, _ = walked(universe.regions[0], plan)
        cheap = all(gain >= need for need, gain in trades) and any(g > n for n, g in trades)
        free_of_charge = cheap and not any(need for need, _ in trades)
        assert is_cheap_lunch(universe, 0, plan) == cheap
        assert is_free_lunch(universe, 0, plan) == free_of_charge
        if free_of_charge if free else cheap:
            found.append(plan)
    return found


def fits(universe: Universe, strategy: Strategy, lunch: tuple[int, ...]) -> bool:
    """Whether what the lunch needs is held at each step beyond what is used elsewhere."""
    held = pools(universe, strategy)
    assert held is not None
    elsewhere = [walked(*part)[0] for part in by_region(universe, strategy)[1:]]
    needed = [need for need, _ in walked(universe.regions[0], lunch)[0]]
    enough = all(
        needed[step] + sum(trades[step][0] for trades in elsewhere) <= held[step]
        for step in range(universe.steps)
    )
    assert compatible(universe, strategy, 0, lunch) == enough
    return enough


@few
@given(universes())
def test_the_planner_agrees_with_every_strategy_tried(universe):
    every, best = strategies(universe), optima(universe)
    for region in range(len(universe.regions)):
        alone = [not gains(universe, plan, region) for plan in best]
        use = region_use(universe, region)
        assert use.best == worth(universe, best[0])
        assert use.some == (not all(alone))
        assert use.every == (not any(alone))
        others = [worth(universe, p) for p in every if not gains(universe, p, region)]
        assert use.best_leaving_alone == max(others)


@pytest.mark.slow
@few
@given(universes())
def test_benson_tilsen_soares_lemma_1_a_compatible_cheap_lunch_costs_no_utility(universe):
    universe = indifferent(universe)
    found = 0
    for strategy, lunch in itertools.product(strategies(universe), lunches(universe)):
        if gains(universe, strategy) or not fits(universe, strategy, lunch):
            continue
        conjugate = with_lunch(strategy, 0, lunch)
        assert conjugate == [[act, *acts[1:]] for act, acts in zip(lunch, strategy, strict=True)]
        after = outcome(universe, conjugate)
        assert after is not None
        assert after.utility == worth(universe, strategy)
        held = pools(universe, tuple(map(tuple, conjugate)))
        assert [pool for (pool,) in after.pools] == held
        assert all(m >= n for m, n in zip(held, pools(universe, strategy), strict=True))
        found += 1
    assume(found)


@pytest.mark.slow
@few
@given(universes())
def test_benson_tilsen_soares_theorem_1_a_lunch_compatible_with_an_optimum_makes_some_optimum_act(
    universe,
):
    universe = indifferent(universe)
    pairs = itertools.product(optima(universe), lunches(universe))
    assume(any(fits(universe, plan, lunch) for plan, lunch in pairs))
    assert region_use(universe, 0).some


@pytest.mark.slow
@few
@given(universes())
def test_benson_tilsen_soares_corollary_1_a_free_lunch_is_enough_for_some_optimum_to_act(universe):
    universe = indifferent(universe)
    free = lunches(universe, free=True)
    assume(free)
    every = itertools.product(strategies(universe), free)
    assert all(fits(universe, strategy, lunch) for strategy, lunch in every)
    assert region_use(universe, 0).some


def gain_from_lunch(universe: Universe) -> float:
    """Utility outside region 0 of the best strategy with a cheap lunch, less the best without."""
    outside, cheap = indifferent(universe), lunches(universe)
    every = strategies(outside)
    fed = [worth(outside, s) for s in every if tuple(acts[0] for acts in s) in cheap]
    hungry = [worth(outside, s) for s in every if not gains(outside, s)]
    return max(fed, default=-np.inf) - max(hungry)


@pytest.mark.slow
@few
@given(universes(mine=True))
def test_benson_tilsen_soares_theorem_2_every_optimum_acts_where_a_lunch_pays_for_a_better_strategy(
    universe,
):
    universe = indifferent(universe)
    assume(gain_from_lunch(universe) > 0)
    assert region_use(universe, 0).every


@pytest.mark.slow
@few
@given(universes(mine=True))
def test_benson_tilsen_soares_theorem_3_so_it_does_where_the_gain_exceeds_what_it_cares(universe):
    cares = float(np.ptp(universe.regions[0].utility))
    assert care(universe, 0) == cares
    assume(gain_from_lunch(universe) > cares > 0)
    assert region_use(universe, 0).every
