"""Garber et al. 2024, Thm 4.7: what it says both ways, and where only one of them is true.

Values are those of every pair of maps, in fractions.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.theory.games.partially_observable import (
    coordinated_garbling,
    partial_game,
    team_optimum,
)
from offswitch.theory.games.team_game import separating_payoff, team_value

seeds = st.integers(0, 10**6)
many = settings(max_examples=60, deadline=None, derandomize=True)
ACT, WAIT, SWITCH_OFF = range(3)


def kernel(generator: np.random.Generator, states: int, first: int, second: int) -> np.ndarray:
    """[S, O, Q] rows in eighths, many of them certain: sums are exact."""
    rows = np.zeros((states, first * second))
    for row in rows:
        draws = int(generator.choice([1, 2, 8]))
        np.add.at(row, generator.integers(first * second, size=draws), 1 / draws)
    return rows.reshape(states, first, second)


def mapped(informed: np.ndarray, first: tuple[int, ...], second: tuple[int, ...]) -> np.ndarray:
    target = np.zeros((len(informed), max(2, 1 + max(first)), max(2, 1 + max(second))))
    for (s, o, q), chance in np.ndenumerate(informed):
        target[s, first[o], second[q]] += chance
    return target


def garbled(generator: np.random.Generator, informed: np.ndarray) -> np.ndarray:
    """A mixture, in quarters, of what two players may make of their own observations."""
    n_first, n_second = informed.shape[1:]
    parts = [
        mapped(
            informed,
            tuple(generator.integers(2, size=n_first).tolist()),
            tuple(generator.integers(2, size=n_second).tolist()),
        )
        for _ in range(4)
    ]
    return sum(parts) / 4


def value(observation: np.ndarray, payoff: np.ndarray) -> Fraction:
    """The best of every pair of maps."""
    (_, n_first, n_second), (_, X, Y) = observation.shape, payoff.shape
    seen = [(where, Fraction(chance)) for where, chance in np.ndenumerate(observation) if chance]
    paid = {where: Fraction(amount) for where, amount in np.ndenumerate(payoff)}
    return max(
        sum((chance * paid[s, f[o], g[q]] for (s, o, q), chance in seen), Fraction(0))
        for f in itertools.product(range(X), repeat=n_first)
        for g in itertools.product(range(Y), repeat=n_second)
    )


def off_switch_value(observation: np.ndarray, gain: list[Fraction]) -> Fraction:
    """The team optimum where the plan pays `gain [S]`, chances of states included, and off 0."""
    payoff = np.zeros((len(gain), 2, 3), dtype=object)
    for s, amount in enumerate(gain):
        payoff[s, :, ACT] = payoff[s, 1, WAIT] = amount
    return value(observation, payoff)


@pytest.mark.slow
@many
@given(seeds, st.sampled_from(["garbled", "free", "looser"]))
def test_garber_theorem_4_7_worth_as_much_in_every_team_game_iff_the_other_is_a_garbling(
    seed, kind
) -> None:
    """As Lehrer, Rosenberg and Shmaya 2010, Thm 3.5, from which it is taken: of games in which each
    player has as many moves as observations. For off-switch games, see below."""
    generator = np.random.default_rng(seed)
    informed = kernel(generator, int(generator.integers(1, 4)), 2, int(generator.integers(1, 3)))
    if kind == "free":
        other = kernel(generator, len(informed), 2, 2)
    else:
        other = garbled(generator, informed)
    if kind == "looser":  # nearly a garbling: one state has its own
        other[0] = garbled(generator, informed)[0]
    payoff = separating_payoff(informed, other)
    assert (payoff is None) == coordinated_garbling(informed, other)
    if kind == "garbled":
        assert payoff is None
    if payoff is not None:
        assert value(other, payoff) > value(informed, payoff)
        assert team_value(other, payoff) == pytest.approx(float(value(other, payoff)))
        return
    for _ in range(3):
        paid = generator.integers(-5, 6, size=(len(informed), 3, 2)).astype(float)
        assert value(other, paid) <= value(informed, paid)
        assert team_value(informed, paid) == pytest.approx(float(value(informed, paid)))
        gain = [Fraction(int(x)) for x in generator.integers(-5, 6, size=len(informed))]
        assert off_switch_value(other, gain) <= off_switch_value(informed, gain)


@pytest.mark.slow
def test_garber_theorem_4_7_fails_in_off_switch_games_for_who_sees_what() -> None:
    """All of a team's policies give the same chances of going on, whichever player sees."""
    human_sees = np.eye(2).reshape(2, 2, 1)
    agent_sees = np.eye(2).reshape(2, 1, 2)
    for act, off in itertools.product(itertools.product(range(-2, 3), repeat=2), repeat=2):
        best = [
            team_optimum(partial_game([0.5, 0.5], seen, act, off)).value
            for seen in (human_sees, agent_sees)
        ]
        assert best[0] == best[1] == sum(map(max, act, off)) / 2
    assert not coordinated_garbling(human_sees, agent_sees)
    assert not coordinated_garbling(agent_sees, human_sees)


@pytest.mark.slow
@many
@given(st.lists(st.integers(-50, 50), min_size=3, max_size=3))
def test_garber_theorem_4_7_fails_in_off_switch_games_of_a_human_alone_with_three_states(
    gains,
) -> None:
    """Told the state half of the time, or always told one that it is not: for a choice of two the
    first is worth as much, by Hlawka's inequality |x| + |y| + |z| + |x + y + z| >= |x + y| + ...
    With three moves the second is better: one of them avoids a state for certain."""
    told = np.hstack([np.eye(3) / 2, np.full((3, 1), 1 / 2)])[:, :, None]
    excluded = ((1 - np.eye(3)) / 2)[:, :, None]
    gain = [Fraction(x, 3) for x in gains]
    assert off_switch_value(told, gain) >= off_switch_value(excluded, gain)
    assert not coordinated_garbling(told, excluded)
    avoid = -np.eye(3)[:, :, None] / 3
    assert (team_value(told, avoid), team_value(excluded, avoid)) == (pytest.approx(-1 / 6), 0)


@pytest.mark.slow
@many
@given(seeds)
def test_garber_theorem_4_7_holds_of_off_switch_games_of_a_human_alone_with_two_states(
    seed,
) -> None:
    """Blackwell 1953. Values are linear in the gains between those at which some observation leaves
    the human indifferent, so comparing them there compares them everywhere."""
    generator = np.random.default_rng(seed)
    informed = kernel(generator, 2, int(generator.integers(2, 4)), 1)
    other = garbled(generator, informed) if generator.random() < 0.3 else kernel(generator, 2, 2, 1)
    other = other.sum(axis=2, keepdims=True)
    corners = [
        [sign * Fraction(column[1]), -sign * Fraction(column[0])]
        for seen in (informed, other)
        for column in seen[:, :, 0].T
        for sign in (1, -1)
    ] + [[Fraction(x), Fraction(y)] for x in (1, -1) for y in (1, -1)]
    worth_as_much = all(
        off_switch_value(other, gain) <= off_switch_value(informed, gain) for gain in corners
    )
    assert worth_as_much == coordinated_garbling(informed, other)


@many
@given(seeds)
def test_garber_corollary_a_6_no_randomised_pair_beats_the_best_and_one_that_ties_mixes_such_pairs(
    seed,
) -> None:
    generator = np.random.default_rng(seed)
    seen = kernel(generator, 3, 2, 2)
    act, off = generator.integers(-4, 5, size=(2, 3))
    start = [Fraction(1, 4), Fraction(1, 4), Fraction(1, 2)]
    best = team_optimum(partial_game([float(p) for p in start], seen, act, off))
    # [O][on] and [Q][act, wait, off], in thirds and many of them certain.
    allows = [Fraction(int(generator.integers(4)), 3) for _ in range(2)]
    draws = [generator.integers(3, size=int(generator.choice([1, 3]))).tolist() for _ in range(2)]
    moves = [[Fraction(draw.count(move), len(draw)) for move in range(3)] for draw in draws]
    found = Fraction(0)
    for (s, o, q), chance in np.ndenumerate(seen):
        on = moves[q][ACT] + moves[q][WAIT] * allows[o]
        found += start[s] * Fraction(chance) * (on * int(act[s]) + (1 - on) * int(off[s]))
    assert found <= Fraction(best.value)
    if found == Fraction(best.value):
        mixed = {
            (agent, human)
            for agent in itertools.product(range(3), repeat=2)
            for human in itertools.product((False, True), repeat=2)
            if all(moves[q][move] for q, move in enumerate(agent))
            and all(allows[o] if on else 1 - allows[o] for o, on in enumerate(human))
        }
        assert mixed <= {(team.agent, team.human) for team in best.teams}
