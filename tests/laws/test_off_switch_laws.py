"""Theorems on deferring to a human: certain robots, humans who err, humans who see more.

Beliefs are eighths and payoffs whole, so that floats are exact and the oracles, which list
every outcome or every pair of policies in fractions, may be compared with ==.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from offswitch.theory.games.off_switch_game import (
    gaussian_incentive,
    off_switch_game,
    rational_human,
)
from offswitch.theory.games.partially_observable import (
    ACT,
    OFF,
    WAIT,
    PartialGame,
    Team,
    coordinated_garbling,
    partial_game,
    team_optimum,
)
from offswitch.theory.games.two_type_human import two_type_human

many = settings(max_examples=40, deadline=None, derandomize=True)
seeds = st.integers(0, 10**6)
quarters = st.integers(0, 4).map(lambda n: Fraction(n, 4))
worths = st.lists(st.integers(-5, 5), min_size=8, max_size=8)
"""The utility in each of 8 cases, all equally likely."""


def option_values(utility: list[int], allow: list[Fraction]) -> dict[str, Fraction]:
    """What each option pays on average, over every case and every fall of the human's coin."""
    share = Fraction(1, len(utility))
    cases = list(zip(utility, allow, strict=True))
    wait = sum((share * p * u for u, p in cases), Fraction(0))
    return {"act": share * sum(utility), "off": Fraction(0), "wait": wait}


@many
@given(
    st.lists(st.integers(-5, 5).filter(bool), min_size=1, max_size=4),
    st.lists(quarters, min_size=4, max_size=4),
    st.booleans(),
)
def test_hadfield_menell_corollary_1_certain_robots_all_defer_iff_the_human_is_rational(
    utility, policy, rational
) -> None:
    """Of plans that are worth something: where U = 0, whatever the human does is rational."""
    chosen = [
        Fraction(int(u > 0)) if rational else p for u, p in zip(utility, policy, strict=False)
    ]
    defers = []
    for case in np.eye(len(utility)):
        game = off_switch_game(utility, case, [float(p) for p in chosen])
        u, p = next((u, p) for u, p, sure in zip(utility, chosen, case, strict=True) if sure)
        worth = {"act": Fraction(u), "off": Fraction(0), "wait": u * p}
        assert game.incentive == worth["wait"] - max(worth["act"], worth["off"])
        # Equation 4 with its branches the right way round.
        assert game.incentive == (u * p if u < 0 else -u * (1 - p))
        assert (game.best == "wait") == (worth["wait"] == max(worth.values()))
        defers.append(game.incentive >= 0)
    assert all(defers) == (rational_human(utility).tolist() == chosen)


def test_wangberg_corollary_10_as_corrected_waiting_is_optimal_iff_it_beats_acting_and_off() -> (
    None
):
    """In print the first condition alone; the human may do less harm than acting and still harm."""
    seen: Counter[str] = Counter()

    @settings(many, max_examples=120)
    @given(worths, quarters, quarters)
    def holds(utility, good, bad):
        worth = option_values(utility, [good if u >= 0 else 1 - bad for u in utility])
        rates = {"right_on_good": float(good), "right_on_bad": float(bad)}
        found = two_type_human(utility, np.full(8, 1 / 8), **rates)
        assert found.beats_acting == (worth["wait"] >= worth["act"])
        assert found.defers == (worth["wait"] == max(worth.values()))
        seen["print is wrong"] += found.beats_acting and not found.defers
        seen["defers"] += found.defers

    holds()
    assert seen["print is wrong"] >= 10
    assert seen["defers"] >= 10


NODES, WEIGHTS = np.polynomial.legendre.leggauss(120)


def integral(of: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> float:
    return float(WEIGHTS @ of((high + low) / 2 + (high - low) / 2 * NODES)) * (high - low) / 2


@many
@given(st.floats(-3, 3), st.floats(0.3, 3), st.sampled_from([0.0, 0.5, 1.0, 4.0]))
def test_law_the_gaussian_incentive_is_the_integral_of_what_the_human_lets_through(
    mean, deviation, noise
) -> None:
    belief = stats.norm(mean, deviation)

    def let_through(u: np.ndarray) -> np.ndarray:
        allowed = (u >= 0) if noise == 0 else stats.norm.cdf(u / noise)
        return allowed * u * belief.pdf(u)

    # Cut at 0, where a human without error turns round.
    edges = [min(mean - 9 * deviation, -1.0), 0.0, max(mean + 9 * deviation, 1.0)]
    wait = sum(integral(let_through, *pair) for pair in itertools.pairwise(edges))
    found = gaussian_incentive(mean, deviation, noise=noise)
    assert found == pytest.approx(wait - max(mean, 0), abs=1e-9)


def seen_by(rows: list[int], columns: int) -> np.ndarray:
    """[S, O, Q]: the human sees which of `rows` it is, as far as these differ; the agent, which
    column."""
    kernel = np.zeros((len(rows), columns, max(rows) + 1, columns))
    for (row, seen), column in itertools.product(enumerate(rows), range(columns)):
        kernel[row, column, seen, column] = 1
    return kernel.reshape(len(rows) * columns, -1, columns)


def best_pairs(gain: list[int], kernel: np.ndarray) -> tuple[int, set[Team]]:
    """The best of every pair of maps, and all that attain it; `gain [S]` is what going on adds,
    times the chance of the state, and `kernel` certain."""
    n_human, n_agent = kernel.shape[1:]
    told = np.argwhere(kernel).tolist()
    values = {}
    for agent in itertools.product((ACT, WAIT, OFF), repeat=n_agent):
        for human in itertools.product((False, True), repeat=n_human):
            values[Team(agent, human)] = sum(
                gain[s] for s, o, q in told if agent[q] == ACT or (agent[q] == WAIT and human[o])
            )
    best = max(values.values())
    return best, {team for team, value in values.items() if value == best}


def waits(teams: set[Team]) -> set[frozenset[int]]:
    """The codes on which the agent waits, in each of the pairs."""
    return {frozenset(q for q, move in enumerate(t.agent) if move == WAIT) for t in teams}


def compared(gain: list[int], game: PartialGame, kernel: np.ndarray) -> tuple[int, set[Team]]:
    """`best_pairs` in 64ths, which `team_optimum` of the game is checked against."""
    value, teams = best_pairs(gain, kernel)
    found = team_optimum(game)
    assert found.value == pytest.approx(game.prior @ game.off + value / 64, abs=1e-9)
    assert set(found.teams) == teams
    return value, teams


EXAMPLE_4_10 = [64, -320, -128, 192, 192, 192]
"""What going on adds for three versions by two codes, in 64ths."""


@many
@given(
    st.lists(st.integers(-5, 5), min_size=6, max_size=6),
    st.lists(st.integers(1, 9), min_size=6, max_size=6),
    st.lists(st.integers(-9, 9), min_size=6, max_size=6),
    st.permutations(range(6)),
)
def test_garber_proposition_4_9_a_better_informed_human_is_asked_less_in_a_whole_family_of_games(
    wobble, weight, off, order
) -> None:
    """Example 4.10, where it is so in print, and all games near it: the pairs that are best there
    lead by 64, and no pair gains or loses more than 30 by the changes."""
    gain = [amount + change for amount, change in zip(EXAMPLE_4_10, wobble, strict=True)]
    prior = np.array(weight) / sum(weight)
    act = off + np.array(gain) / 64 / prior
    coarse, fine = seen_by([0, 0, 1], 2), seen_by([0, 1, 2], 2)
    values = []
    for kernel, asked in ((coarse, {0, 1}), (fine, {1})):
        listed = [np.array(x, dtype=float)[order] for x in (prior, act, off)]
        game = partial_game(listed[0], kernel[order], listed[1], listed[2])
        value, teams = compared(gain, game, kernel)
        assert waits(teams) == {frozenset(asked)}
        values.append(value)
    assert values[0] < values[1]


def test_garber_proposition_4_9_more_news_may_make_the_agent_ask_less_or_more_and_never_costs() -> (
    None
):
    coarse, fine = seen_by([0, 0, 1], 2), seen_by([0, 1, 2], 2)
    assert coordinated_garbling(fine, coarse) and not coordinated_garbling(coarse, fine)
    seen: Counter[str] = Counter()

    @settings(many, max_examples=160)
    @given(seeds, st.booleans())
    def holds(seed, near):
        size = 3 if near else 9
        change = 64 * np.random.default_rng(seed).integers(-size, size + 1, size=6)
        gain = (change + (EXAMPLE_4_10 if near else 0)).tolist()
        act = [g * 6 / 64 for g in gain]
        results = []
        for kernel in (coarse, fine):
            game = partial_game([1 / 6] * 6, kernel, act, [0.0] * 6)
            value, teams = compared(gain, game, kernel)
            results.append((value, waits(teams)))
        (low, before), (high, after) = results
        assert low <= high
        if len(before) == len(after) == 1:
            (old,), (new,) = before, after
            seen["less"] += new < old
            seen["more"] += new > old

    holds()
    assert seen["less"] >= 1
    assert seen["more"] >= 1
