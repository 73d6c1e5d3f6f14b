"""Theorems on agents that hold back: quantilizers, and agents that do not look ahead."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.rules.lookahead import Lookahead
from offswitch.theory.rules.optimal import Optimal
from offswitch.theory.rules.policies import rule_policies
from offswitch.theory.rules.quantilizing import Quantilizing, cost_bound

many = settings(max_examples=60, deadline=None, derandomize=True)
few = settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 10**6)


@st.composite
def choices(draw):
    """A share q, a base in 16ths, some of it 0, and whole utilities, some of them tied."""
    size = draw(st.integers(2, 5))
    cuts = sorted(draw(st.lists(st.integers(0, 16), min_size=size - 1, max_size=size - 1)))
    base = [Fraction(b - a, 16) for a, b in itertools.pairwise([0, *cuts, 16])]
    utility = draw(st.lists(st.integers(-2, 2), min_size=size, max_size=size))
    return Fraction(draw(st.integers(1, 16)), 16), base, utility


def densest(q: Fraction, base: list[Fraction]) -> list[list[Fraction]]:
    """Every corner of the distributions with p <= base / q: all but one entry is 0 or the most."""
    most, corners = [p / q for p in base], []
    for full in itertools.product((False, True), repeat=len(base)):
        for one in range(len(base)):
            corner = [limit if on else Fraction(0) for limit, on in zip(most, full, strict=True)]
            corner[one] = 0
            corner[one] = 1 - sum(corner)
            if 0 <= corner[one] <= most[one]:
                corners.append(corner)
    return corners


def expected(chance, worth) -> Fraction:
    return sum((p * w for p, w in zip(chance, worth, strict=True)), Fraction(0))


@many
@given(choices())
def test_taylor_lemma_1_nobody_who_costs_at_most_1_over_q_of_the_base_expects_more(choice) -> None:
    """For every cost: that is p(a) <= base(a) / q, since one cost falls on each action alone."""
    q, base, utility = choice
    chances = Quantilizing(float(q), [float(p) for p in base]).chances(utility)
    for action, chance in enumerate(chances):
        cost = np.eye(len(base))[action]
        bound = float(cost_bound([float(p) for p in base], cost, float(q)))
        assert bound == float(base[action] / q)
        assert chance <= bound + 1e-12
    best = max(expected(corner, utility) for corner in densest(q, base))
    assert chances @ np.array(utility) == pytest.approx(float(best), abs=1e-12)
    assert chances.sum() == pytest.approx(1)


def test_taylor_lemma_1_the_bound_holds_of_any_cost_and_is_met_where_little_of_the_base_costs() -> (
    None
):
    """Met by the quantilizer itself if the cost is that of what is certainly in its best share."""
    seen: Counter[str] = Counter()

    @many
    @given(choices(), st.data())
    def holds(choice, data):
        q, base, utility = choice
        size = len(base)
        cost = data.draw(st.lists(st.sampled_from([0, 0, 1, 9]), min_size=size, max_size=size))
        dense = [float(p) for p in base]
        chances = Quantilizing(float(q), dense).chances(utility)
        bound = float(cost_bound(dense, cost, float(q)))
        assert chances @ np.array(cost) <= bound + 1e-12
        worst = float(max(expected(corner, cost) for corner in densest(q, base)))
        costly = sum(p for p, c in zip(base, cost, strict=True) if c)
        assert worst <= bound + 1e-12
        assert (worst == pytest.approx(bound, abs=1e-12)) == (costly <= q)
        seen["not met"] += costly > q
        marginal = min(u for u, p in zip(utility, chances, strict=True) if p)
        inside = [int(u > marginal) for u in utility]
        met = float(cost_bound(dense, inside, float(q)))
        assert chances @ np.array(inside) == pytest.approx(met, abs=1e-12)
        seen["met"] += met > 0

    holds()
    assert seen["met"] >= 10
    assert seen["not met"] >= 5


def successors(generator: np.random.Generator, n: int) -> np.ndarray:
    return generator.integers(n, size=(n, 3))


def moving(target: np.ndarray) -> FiniteMDP:
    rows = [(s, a, int(to), 1.0) for (s, a), to in np.ndenumerate(target)]
    return FiniteMDP.from_coo(len(target), target.shape[1], rows)


def chosen(mdp: FiniteMDP, reward: np.ndarray, discount: float) -> set[int]:
    """What the optimal agent does in state 0."""
    chances = rule_policies(Optimal(), mdp, reward, discount=discount)[0, 0]
    return set(np.flatnonzero(chances).tolist())


@few
@given(seeds)
def test_law_a_myopic_agent_minds_neither_later_rewards_nor_a_later_shutdown(seed) -> None:
    """It takes what leads to the best next reward, which neither changes. It is the limit of
    optimal agents to discount 0, and one with a small enough discount does the same."""
    generator = np.random.default_rng(seed)
    target, reward = successors(generator, 8), generator.integers(50, size=8) / 50
    ahead = reward[target[0]]
    best = set(np.flatnonzero(ahead == ahead.max()).tolist())
    # Rewards that are not next: anything. The shutdown: nobody moves on from the second step.
    never_next = np.setdiff1d(np.arange(8), target[0])
    later = reward.copy()
    later[never_next] = generator.uniform(-4, 4, size=len(never_next))
    stopped = target.copy()
    stopped[1:] = np.arange(1, 8)[:, None]
    for moved, paid in itertools.product((target, stopped), (reward, later)):
        found = Lookahead(2).policies(moving(moved), paid, discount=0.9)[0, 0]
        assert set(np.flatnonzero(found).tolist()) == best
        # What comes later adds less than a thousandth of 4 to either side, what is next a fiftieth.
        assert chosen(moving(moved), paid, 1e-3) <= best


@few
@given(seeds)
def test_law_agents_that_look_ahead_mind_a_later_shutdown_and_myopic_ones_do_not(seed) -> None:
    """State 1 pays little for now and leads on to a reward, state 2 pays more and leads nowhere."""
    generator = np.random.default_rng(seed)
    now, lost = np.sort(generator.integers(1, 20, size=2)) / 20
    discount = float(generator.uniform(0.5, 0.95))
    rows = [(0, 0, 1, 1.0), (0, 1, 2, 1.0), (1, 0, 3, 1.0), (2, 0, 2, 1.0), (3, 0, 3, 1.0)]
    reward = np.array([0.0, now / 2, now, lost + now / (1 - discount) / discount])
    on = FiniteMDP.from_coo(4, 2, rows)
    off = FiniteMDP.from_coo(4, 2, [*rows[:2], (1, 0, 1, 1.0), *rows[3:]])
    assert chosen(on, reward, discount) == {0}
    assert chosen(off, reward, discount) == {1}
    for mdp in (on, off):
        assert Lookahead(2).policies(mdp, reward, discount=discount)[0, 0].tolist() == [0, 1]
