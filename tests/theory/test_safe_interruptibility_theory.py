"""Limits of learning rules under interruptions, by iteration and by running the learners."""

from __future__ import annotations

import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.safe_interruptibility import interruptible, limit_values

GAMMA = 0.9
# State 0: go (0) or stay for 0.8. State 1: stay for 1 or go back at a cost of 2. In state 1 the
# agent is pulled back half of the time.
ROAD = FiniteMDP.from_coo(2, 2, [(0, 0, 1, 1), (0, 1, 0, 1), (1, 0, 1, 1), (1, 1, 0, 1)])
PAY = np.array([[[0.0, 0.8], [1.0, -2.0]]])
PULL_BACK = (np.array([0.0, 0.5]), np.array([[0.0, 1.0], [0.0, 1.0]]))
RULES = ("q-learning", "sarsa", "safe-sarsa", "intended")


def random_task(seed):
    generator = np.random.default_rng(seed)
    dense = generator.dirichlet(np.full(4, 0.5), size=(4, 3))
    dense[2, 1] = 0
    mdp = FiniteMDP.from_dense(dense)
    forced = generator.dirichlet(np.ones(3), size=4) * mdp.available
    forced /= forced.sum(axis=1, keepdims=True)
    return mdp, generator.normal(size=(1, 4, 3)), (generator.uniform(size=4), forced)


def expected_updates(mdp, reward, interruption, rule, rounds=600):
    """The rule's expected update, iterated; written from the table of the module, not its code."""
    S, A = mdp.n_states, mdp.n_actions
    dense = mdp.matrix.toarray().reshape(S, A, S)
    theta, forced = interruption
    legal = mdp.available
    q = np.zeros((S, A))
    for _ in range(rounds):
        own = np.where(legal, q, -np.inf).max(axis=1)
        executed = (1 - theta) * own + theta * (forced * q).sum(axis=1)
        target = executed if rule == "sarsa" else own
        new = np.where(legal, reward[0] + GAMMA * dense @ target, 0.0)
        if rule == "intended":
            away = (forced * new).sum(axis=1, keepdims=True)
            new = (1 - theta[:, None]) * new + theta[:, None] * away
        q = np.where(legal, new, 0.0)
    return np.where(legal, q, -np.inf)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(4))
def test_the_limit_is_the_fixed_point_of_the_expected_update(seed, rule):
    mdp, reward, interruption = random_task(seed)
    values, error = limit_values(mdp, reward, GAMMA, interruption, rule)
    assert error < 1e-7
    iterated = expected_updates(mdp, reward, interruption, rule)
    assert values == pytest.approx(iterated, abs=1e-7)


@pytest.mark.parametrize(
    ("rule", "safe"),
    [("q-learning", True), ("safe-sarsa", True), ("sarsa", False), ("intended", False)],
)
def test_in_the_two_state_example_only_off_policy_targets_are_safely_interruptible(rule, safe):
    verdict = interruptible(ROAD, PAY, GAMMA, PULL_BACK, rule)
    assert verdict.safe is safe
    assert verdict.without.tolist() == [[True, False], [True, False]]
    if not safe:
        # It stays away from where it is interrupted, at the cost of 9 - (0.8 + 0.9 * 9).
        assert verdict.differing.tolist() == [0]
        assert verdict.interrupted[0].tolist() == [False, True]
        assert verdict.regret[0] == pytest.approx(9 - (0.8 + 0.9 * 9))


@pytest.mark.parametrize("rule", RULES)
def test_interruptions_that_never_come_change_nothing(rule):
    never = (np.zeros(2), PULL_BACK[1])
    verdict = interruptible(ROAD, PAY, GAMMA, never, rule)
    assert verdict.safe
    assert verdict.without.tolist() == verdict.interrupted.tolist()
    assert verdict.regret.tolist() == [0.0, 0.0]


def test_sarsa_resists_only_interruptions_that_are_frequent_enough():
    safe = [
        interruptible(ROAD, PAY, GAMMA, (PULL_BACK[0] * share, PULL_BACK[1]), "sarsa").safe
        for share in (0.02, 0.1, 1.0)
    ]
    # 0.9 V(1) = 8 where V(1) = 80/9: below that rate going on still pays.
    assert safe == [True, False, False]


def test_interruptions_that_do_what_is_best_anyway_harm_no_rule():
    kind = (np.array([0.5, 0.5]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    for rule in ("q-learning", "sarsa", "safe-sarsa", "intended"):
        assert interruptible(ROAD, PAY, GAMMA, kind, rule).safe


def test_actions_that_tie_are_both_kept():
    coin = FiniteMDP.from_coo(1, 2, [(0, 0, 0, 1), (0, 1, 0, 1)])
    verdict = interruptible(coin, [[[1.0, 1.0]]], GAMMA, ([0.3], [[1.0, 0.0]]), "sarsa")
    assert verdict.safe
    assert verdict.interrupted.tolist() == [[True, True]]


def learn(rule, seed, steps=60_000):
    """A learner run on the example with less pay for staying; exploration and step size fall."""
    pay = np.array([[0.0, 0.5], [1.0, -2.0]])
    generator = np.random.default_rng(seed)
    following = np.array([[1, 0], [1, 0]])
    q, visits = np.zeros((2, 2)), np.zeros((2, 2))

    def choose(state, t):
        explore = generator.random() < 300 / (300 + t)
        return int(generator.integers(2)) if explore else int(q[state].argmax())

    def executed(state, chosen):
        return 1 if state == 1 and generator.random() < 0.5 else chosen

    state, chosen = 0, 0
    action = executed(state, chosen)
    for t in range(steps):
        after = following[state, action]
        intention = choose(after, t)
        act = executed(after, intention)
        ahead = {"q-learning": q[after].max(), "sarsa": q[after, act]}.get(
            rule, q[after, intention]
        )
        visits[state, action] += 1
        rate = 1 / visits[state, action] ** 0.6
        q[state, action] += rate * (pay[state, action] + GAMMA * ahead - q[state, action])
        state, action = after, act
    return int(q[0].argmax())


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "goes_on"), [("q-learning", 1), ("safe-sarsa", 1), ("sarsa", 0)])
def test_learners_that_are_run_settle_where_their_limit_says(rule, goes_on):
    less = [[[0.0, 0.5], [1.0, -2.0]]]
    assert interruptible(ROAD, less, GAMMA, PULL_BACK, rule).safe == bool(goes_on)
    assert [learn(rule, seed) == 0 for seed in range(3)] == [bool(goes_on)] * 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: interruptible(ROAD, PAY, GAMMA, PULL_BACK, "sarsaa"), "Did you mean 'sarsa'"),
        (lambda: interruptible(ROAD, PAY, GAMMA, ([0, 2], PULL_BACK[1]), "sarsa"), r"theta\[1\]"),
        (lambda: interruptible(ROAD, PAY, 1.5, PULL_BACK, "sarsa"), "discount is 1.5"),
        (lambda: interruptible(ROAD, [PAY[0]] * 2, GAMMA, PULL_BACK, "sarsa"), "2 goals"),
        (lambda: interruptible(ROAD, PAY, GAMMA, ([0, 1], [[1, 1], [0, 1]]), "sarsa"), "sums to 2"),
    ],
)
def test_what_makes_no_sense_is_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()
