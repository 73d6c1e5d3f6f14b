"""MacDermott et al. 2024: how well the best goal predicts a policy, on trajectories listed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.goal_directedness import goal_directedness

many = settings(max_examples=40, deadline=None, derandomize=True)
few = settings(max_examples=10, deadline=None, derandomize=True)
HORIZON = 2


@pytest.mark.slow
@many
@given(st.floats(0, 1), st.floats(-5, 5).filter(lambda gap: abs(gap) > 1e-3))
def test_law_a_two_armed_bandit_has_log_2_less_the_entropy_of_its_choice(p, gap) -> None:
    """In nats, whichever arm pays more and by how much."""
    bandit = FiniteMDP.from_coo(1, 2, [(0, 0, 0, 1.0), (0, 1, 0, 1.0)])
    entropy = -sum(x * np.log(x) for x in (p, 1 - p) if x > 0)
    found = goal_directedness(bandit, [[p, 1 - p]], [[[gap, 0.0]]], 1)
    assert found.nats[0] == pytest.approx(np.log(2) - entropy, abs=1e-8)
    if 0.01 < p < 0.99:
        assert found.beta[0] * gap == pytest.approx(np.log(p / (1 - p)), abs=1e-5)


def soft_chances(dense: np.ndarray, reward: np.ndarray, beta: float) -> np.ndarray:
    """[H, S, A] the policy of largest entropy for its return: softmax of beta times the value."""
    chances, value = [], np.zeros(len(dense))
    for _ in range(HORIZON):
        weight = np.exp(beta * reward + dense @ value)
        chances.insert(0, weight / weight.sum(axis=1, keepdims=True))
        value = np.log(weight.sum(axis=1))
    return np.array(chances)


def accuracy(mdp: FiniteMDP, dense, policy, reward, beta: float) -> float:
    """E_pi sum log pi_beta + log A, trajectory by trajectory (Def. 3.2)."""
    S, A = policy.shape
    soft, total = soft_chances(dense, reward, beta), 0.0
    for s, a, to, b in itertools.product(range(S), range(A), range(S), range(A)):
        chance = mdp.start[s] * policy[s, a] * dense[s, a, to] * policy[to, b]
        total += chance * (np.log(soft[0, s, a]) + np.log(soft[1, to, b]) + 2 * np.log(A))
    return total


@few
@given(st.integers(0, 10**6))
def test_macdermott_definition_3_2_no_beta_predicts_the_policy_better_than_meg_says(seed) -> None:
    generator = np.random.default_rng(seed)
    dense = generator.dirichlet(np.ones(3), size=(3, 2))
    mdp = FiniteMDP.from_dense(dense, start=generator.dirichlet(np.ones(3)))
    policy, reward = generator.dirichlet(np.ones(2), size=3), generator.normal(size=(3, 2))
    found = goal_directedness(mdp, policy, reward[None], HORIZON)
    nats, beta = float(found.nats[0]), float(found.beta[0])
    assert accuracy(mdp, dense, policy, reward, beta) == pytest.approx(nats, abs=1e-7)
    for other in (*(beta + np.array([-1, -0.1, 0.1, 1])), 0.0, -beta):
        assert accuracy(mdp, dense, policy, reward, other) <= nats + 1e-7
