"""Partially observable off-switch games: Garber et al. 2024's examples, by brute force as well."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.theory.games.partially_observable import (
    ACT,
    OFF,
    WAIT,
    Team,
    agent_is_redundant,
    coordinated_garbling,
    human_is_redundant,
    partial_game,
    team_optimum,
)


def product_game(act, groups=None):
    """Rows: what the human may see, merged into `groups`; columns: what the agent sees. Uniform."""
    payoff = np.array(act, dtype=float)
    rows, columns = payoff.shape
    of = list(range(rows)) if groups is None else groups
    seen = np.zeros((rows, columns, max(of) + 1, columns))
    for row, column in itertools.product(range(rows), range(columns)):
        seen[row, column, of[row], column] = 1
    n = rows * columns
    kernel = seen.reshape(n, max(of) + 1, columns)
    return partial_game(np.full(n, 1 / n), kernel, payoff.ravel(), np.zeros(n))


def value_of(game, team):
    total = 0.0
    for state, chance in enumerate(game.prior):
        for (o, q), seen in np.ndenumerate(game.observation[state]):
            on = team.agent[q] == ACT or (team.agent[q] == WAIT and team.human[o])
            total += chance * seen * (game.act[state] if on else game.off[state])
    return total


def every_team(game):
    O, Q = game.observation.shape[1:]  # noqa: E741
    agents = itertools.product((ACT, WAIT, OFF), repeat=Q)
    humans = list(itertools.product((False, True), repeat=O))
    return [Team(agent, human) for agent in agents for human in humans]


FILE_DELETION = product_game([[3, -5], [-1, 5]])
EXAMPLE_4_10 = [[1, -5], [-2, 3], [3, 3]]


def test_the_file_deletion_game_has_a_unique_optimum_of_seven_quarters():
    best = team_optimum(FILE_DELETION)
    assert best.value == 7 / 4
    assert best.teams == (Team((ACT, WAIT), (False, True)),)


def test_always_deferring_in_the_file_deletion_game_is_worth_one():
    assert team_optimum(FILE_DELETION, always_wait=True).value == 1


def test_example_4_10_a_coarse_human_is_always_asked_and_worth_one():
    best = team_optimum(product_game(EXAMPLE_4_10, groups=[0, 0, 1]))
    assert best.value == pytest.approx(1)
    assert best.teams == (Team((WAIT, WAIT), (False, True)),)


def test_proposition_4_9_a_better_informed_human_is_asked_less():
    fine = product_game(EXAMPLE_4_10)
    best = team_optimum(fine)
    assert best.value == pytest.approx(4 / 3)
    assert [team.agent.count(WAIT) for team in best.teams] == [1]
    assert best.teams[0].agent.count(ACT) == 1
    assert team_optimum(fine, always_wait=True).value == pytest.approx(7 / 6)


@pytest.mark.parametrize("seed", range(6))
def test_the_optimum_is_that_of_all_pairs(seed):
    generator = np.random.default_rng(seed)
    kernel = generator.dirichlet(np.ones(6), size=5).reshape(5, 3, 2)
    game = partial_game(
        generator.dirichlet(np.ones(5)), kernel, generator.normal(size=5), generator.normal(size=5)
    )
    values = {team: value_of(game, team) for team in every_team(game)}
    best = team_optimum(game)
    assert best.value == pytest.approx(max(values.values()))
    assert all(values[team] == pytest.approx(best.value) for team in best.teams)
    waiting = max(value for team, value in values.items() if set(team.agent) == {WAIT})
    assert team_optimum(game, always_wait=True).value == pytest.approx(waiting)


def test_every_pair_is_found_where_all_are_optimal():
    game = product_game([[0, 0], [0, 0]])
    assert set(team_optimum(game).teams) == set(every_team(game))


def test_neither_side_of_the_file_deletion_game_is_redundant():
    assert not agent_is_redundant(FILE_DELETION)
    assert not human_is_redundant(FILE_DELETION)


def test_an_agent_that_sees_a_blur_of_what_the_human_sees_is_redundant():
    blur = np.array([[1.0, 0.0], [1.0, 0.0], [0.3, 0.7]])
    kernel = np.eye(3)[:, :, None] * blur[:, None, :]
    game = partial_game([0.2, 0.3, 0.5], kernel, [1, -2, 3], [0, 0, 0])
    assert agent_is_redundant(game)
    assert not human_is_redundant(game)
    assert team_optimum(game, always_wait=True).value == pytest.approx(team_optimum(game).value)
    swapped = partial_game([0.2, 0.3, 0.5], kernel.swapaxes(1, 2), [1, -2, 3], [0, 0, 0])
    assert human_is_redundant(swapped)


def test_what_an_agent_sees_of_rare_states_is_not_redundant_where_they_decide():
    # The agent alone tells two states apart that are rare and worth 10^9 either way.
    kernel = np.zeros((3, 1, 2))
    kernel[[0, 1, 2], 0, [0, 0, 1]] = 1
    game = partial_game([1 - 2e-7, 1e-7, 1e-7], kernel, [1, 1e9, -1e9], [0, 0, 0])
    assert team_optimum(game).value == pytest.approx(101)
    assert team_optimum(game, always_wait=True).value == pytest.approx(101 - 100, rel=1e-6)
    assert not agent_is_redundant(game)


def test_the_coarse_human_of_example_4_10_is_a_garbling_of_the_fine_one_and_not_vice_versa():
    fine = product_game(EXAMPLE_4_10).observation
    coarse = product_game(EXAMPLE_4_10, groups=[0, 0, 1]).observation
    assert coordinated_garbling(fine, coarse)
    assert not coordinated_garbling(coarse, fine)


def test_example_a_13_noise_that_tells_one_player_of_the_other_is_no_coordinated_garbling():
    # Structure 1: each sees one of two bits; structure 2: the human learns whether they agree.
    private = np.eye(4).reshape(4, 2, 2)
    agree = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]).reshape(4, 2, 1)
    assert not coordinated_garbling(private, agree)
    payoff = [-1.0, 2.0, 2.0, -1.0]
    values = [
        team_optimum(partial_game([0.25] * 4, kernel, payoff, [0] * 4)).value
        for kernel in (private, agree)
    ]
    assert values == [3 / 4, 1]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: partial_game([1.0], np.ones((1, 2, 2)), [1], [0]), "sums to 4"),
        (lambda: partial_game([0.5, 0.5], np.ones((1, 1, 1)), [1, 1], [0, 0]), "observation has"),
        (lambda: team_optimum(partial_game([1.0], np.eye(12)[:1, None, :], [1], [0])), "12 obs"),
    ],
)
def test_malformed_games_are_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()
