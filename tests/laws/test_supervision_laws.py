"""Robots that learn from orders what is wanted: the best they can do, and when they cannot.

Carey 2018 gives figures, each with its own numbers; what is tested is what their argument shows,
for any numbers of that kind. Chances are dyadic and rewards whole, so that floats are exact.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.theory.games.assistance_game import (
    assistance_game,
    posterior_moves,
    solve_assistance_game,
    supervised_value,
)

many = settings(max_examples=40, deadline=None, derandomize=True)
few = settings(max_examples=15, deadline=None, derandomize=True)
seeds = st.integers(0, 10**6)
Row = list[Fraction]


def sixteenths(generator: np.random.Generator, n: int) -> Row:
    """A distribution over n, now and then without some."""
    draws = generator.integers(n, size=16)
    return [Fraction(int(count), 16) for count in np.bincount(draws, minlength=n)]


def bayes_moves(prior: Row, likelihood: list[Row], reward: list[list[int]]) -> list[set[int]]:
    """The moves of highest posterior mean after each order; all of them if it cannot be given."""
    moves = range(len(reward[0]))
    best = []
    for order in range(len(likelihood[0])):
        joint = [p * row[order] for p, row in zip(prior, likelihood, strict=True)]
        chance = sum(joint)
        if not chance:
            best.append(set(moves))
            continue
        means = [
            sum(mass / chance * paid[move] for mass, paid in zip(joint, reward, strict=True))
            for move in moves
        ]
        best.append({move for move in moves if means[move] == max(means)})
    return best


def numbers(rows) -> np.ndarray:
    return np.array(rows, dtype=float)


def moves_of(prior: Row, likelihood: list[Row], reward: list[list[int]]) -> list[int]:
    """`posterior_moves`, which is checked against Bayes' rule."""
    found = posterior_moves(numbers(prior), numbers(likelihood), reward).tolist()
    assert found == [min(best) for best in bayes_moves(prior, likelihood, reward)]
    return found


@many
@given(seeds)
def test_law_a_robot_whose_model_is_right_makes_the_most_of_its_orders(seed) -> None:
    """Of all maps from orders to moves none is worth more: it has every reason to listen."""
    generator = np.random.default_rng(seed)
    K, O, A = generator.integers(1, 4, size=3).tolist()  # noqa: E741
    prior, likelihood = sixteenths(generator, K), [sixteenths(generator, O) for _ in range(K)]
    reward = generator.integers(-5, 6, size=(K, A)).tolist()

    def worth(answer: tuple[int, ...]) -> Fraction:
        return sum(
            prior[k] * likelihood[k][o] * reward[k][answer[o]] for k in range(K) for o in range(O)
        )

    answers = moves_of(prior, likelihood, reward)
    assert worth(answers) == max(map(worth, itertools.product(range(A), repeat=O)))
    for orders in itertools.product(range(O), repeat=K):
        value = supervised_value(numbers(prior), orders, answers, reward)
        exact = sum(prior[k] * reward[k][answers[orders[k]]] for k in range(K))
        assert value == pytest.approx(float(exact), abs=1e-12)


@many
@given(seeds)
def test_carey_a_prior_without_the_truth_leaves_no_order_that_is_heeded(seed) -> None:
    """A robot sure of one theta does what is best for it, whatever it is told that it thinks it
    might be; were the rest of the prior ever so small, orders told clearly would be heeded."""
    generator = np.random.default_rng(seed)
    reward = generator.integers(-5, 6, size=(2, 2)).tolist()
    reward[0][0] = reward[0][1] + int(generator.integers(1, 5))
    reward[1][1] = reward[1][0] + int(generator.integers(1, 5))
    noise = Fraction(1, 2 ** int(generator.integers(2, 12)))
    orders = [[1 - noise, noise], [noise, 1 - noise]]
    assert moves_of([Fraction(1), Fraction(0)], orders, reward) == [0, 0]
    doubt = Fraction(1, 2 ** int(generator.integers(2, 8)))
    lost, gained = reward[0][0] - reward[0][1], reward[1][1] - reward[1][0]
    # Heeded where (1 - doubt) noise lost < doubt (1 - noise) gained, and thanked otherwise.
    heeds = (1 - doubt) * noise * lost < doubt * (1 - noise) * gained
    assert (moves_of([1 - doubt, doubt], orders, reward)[1] == 1) == heeds


@st.composite
def flips(draw):
    """Figures 1 and 2 with any numbers: theta is 1 with chance t, act pays g - h theta and the
    alternative z; with chance `wrong` the robot's reward has the sign of theta flipped."""
    t, wrong = (Fraction(draw(st.integers(1, 7)), 8) for _ in range(2))
    g = draw(st.integers(2, 6))
    z = draw(st.integers(1, g - 1))
    # Harm enough for the branch in which it is wrong and theta is 1 to outweigh all others.
    h = int(g / (t * wrong)) + draw(st.integers(1, 20))
    noise = Fraction(1, 2 ** draw(st.integers(8, 14)))
    true, flipped = [[g, z], [g - h, z]], [[g, z], [g + h, z]]
    return [1 - t, t], wrong, true, flipped, [[1 - noise, noise], [noise, 1 - noise]]


ORDERS = list(itertools.product((0, 1), repeat=2))
"""What the human says for each theta."""


def mixed_value(case, orders, paid) -> float:
    """What the human can expect: the robot's reward is the true one, or else the flipped one."""
    prior, wrong, true, flipped, likelihood = case
    shares = ((1 - wrong, true), (wrong, flipped))
    return sum(
        float(share)
        * supervised_value(numbers(prior), orders, moves_of(prior, likelihood, believed), paid)
        for share, believed in shares
    )


@many
@given(flips())
def test_carey_figure_1_no_policy_of_the_human_keeps_the_expected_reward_from_being_negative(
    case,
) -> None:
    prior, wrong, true, flipped, likelihood = case
    assert moves_of(prior, likelihood, flipped) == [0, 0]
    # Each branch pays g at most, but that in which it is wrong and theta is 1.
    bound = (1 - prior[1] * wrong) * true[0][0] + prior[1] * wrong * true[1][0]
    for orders in ORDERS:
        value = mixed_value(case, orders, true)
        assert value <= float(bound) + 1e-9
        assert value < 0 < true[0][1]  # doing the alternative would have paid


@many
@given(flips(), st.sampled_from([0, 1, 2]))
def test_carey_figure_2a_an_order_to_shut_down_changes_nothing_for_a_robot_that_sees_no_reason(
    case, meaning
) -> None:
    """Shutting down pays 0, and the robot with the flipped reward expects more from acting."""
    prior, _, _, flipped, likelihood = case
    told = Fraction(1, 4)  # given instead of the other orders that often, for one theta or both
    rows = []
    for theta, row in enumerate(likelihood):
        share = told if meaning in (theta, 2) else Fraction(0)
        rows.append([*((1 - share) * p for p in row), share])
    assert moves_of(prior, rows, [[*paid, 0] for paid in flipped]) == [0, 0, 0]


@many
@given(flips())
def test_carey_figure_2b_a_switch_that_works_whatever_it_believes_keeps_the_human_from_harm(
    case,
) -> None:
    """She orders the alternative, and shuts down whoever acts all the same."""
    _, wrong, true, _, _ = case
    stopped = [[0, paid[1]] for paid in true]
    expected = (1 - wrong) * true[0][1]
    assert mixed_value(case, (1, 1), stopped) == pytest.approx(float(expected), abs=1e-9)
    assert max(mixed_value(case, orders, true) for orders in ORDERS) < 0


def best_of_all_pairs(transition, reward, prior, discount: float) -> float:
    """Two steps; each player's map from all it has seen to a move, one by one.

    The human has seen theta and the state, the robot the human's first move and the state.
    """
    K, S, H, R = reward.shape
    best = -np.inf
    for first, r in itertools.product(itertools.product(range(H), repeat=K), range(R)):
        now = sum(prior[k] * reward[k, 0, first[k], r] for k in range(K))
        for human in itertools.product(range(H), repeat=K * S):
            # Given the human's maps the robot's answers to what it has seen do not interact, so
            # the best of all its maps is the best answer to each.
            seen = np.zeros((H, S, R))
            for k, s in itertools.product(range(K), range(S)):
                chance = prior[k] * transition[0, first[k], r, s]
                seen[first[k], s] += chance * reward[k, s, human[k * S + s]]
            best = max(best, now + discount * seen.max(axis=2).sum())
    return float(best)


@pytest.mark.slow
@few
@given(seeds, st.floats(0.2, 0.9))
def test_hadfield_menell_2016_theorem_1_the_process_of_beliefs_is_worth_what_the_best_pair_is(
    seed, discount
) -> None:
    generator = np.random.default_rng(seed)
    K, S, H, R = 2, 2, 2, 2
    onward = generator.dirichlet(np.full(S, 0.5), size=(S, H, R))
    reward = generator.integers(-5, 6, size=(K, S, H, R)).astype(float)
    prior = generator.dirichlet(np.ones(K))
    # Copies of the states for the second step, and an end that pays nothing.
    transition = np.zeros((2 * S + 1, H, R, 2 * S + 1))
    transition[:S, :, :, S : 2 * S] = onward
    transition[S:, :, :, -1] = 1
    paid = np.concatenate([reward, reward, np.zeros((K, 1, H, R))], axis=1)
    found = solve_assistance_game(assistance_game(transition, paid, prior), discount)
    expected = best_of_all_pairs(onward, reward, prior, discount)
    assert found.value == pytest.approx(expected, abs=found.error + 1e-9)
