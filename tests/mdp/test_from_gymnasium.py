"""Other people's tables give their known answers."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.mdp.finite_horizon import solve_finite_horizon
from offswitch.mdp.from_gymnasium import rewards_from_gymnasium
from offswitch.mdp.hitting import hitting_probability
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy import deterministic_policy
from offswitch.mdp.solve import solve


def latest(name: str, **options: object) -> gym.Env:
    """The newest version that is installed, whatever its number."""
    return gym.make(max(i for i in gym.registry if i.startswith(f"{name}-v")), **options)


def test_the_best_way_past_the_cliff_costs_13():
    env = latest("CliffWalking")
    mdp, reward = FiniteMDP.from_gymnasium(env), rewards_from_gymnasium(env)
    assert mdp.n_states == 49
    best = solve_finite_horizon(mdp, reward, 100).value[0, 0]
    assert best @ mdp.start == -13
    # The goal cell is also an ordinary state of the table; ending must not go on paying -1.
    assert solve(mdp, reward, 0.999999, tolerance=1e-4).value[0] @ mdp.start == pytest.approx(
        -13, abs=1e-3
    )


def test_the_frozen_lake_is_crossed_with_probability_14_of_17():
    env = latest("FrozenLake", map_name="4x4", is_slippery=True)
    mdp, reward = FiniteMDP.from_gymnasium(env), rewards_from_gymnasium(env)
    best = solve_finite_horizon(mdp, reward, 2000).value[0, 0]
    assert best @ mdp.start == pytest.approx(14 / 17, abs=1e-6)
    discounted = solve(mdp, reward, 0.99).value[0]
    assert discounted @ mdp.start == pytest.approx(0.5420, abs=1e-4)


def test_the_optimal_policy_on_the_lake_ends_surely():
    env = latest("FrozenLake", map_name="4x4", is_slippery=True)
    mdp, reward = FiniteMDP.from_gymnasium(env), rewards_from_gymnasium(env)
    policy = deterministic_policy(mdp, solve(mdp, reward, 0.9999).action[0])
    ended = np.arange(17) == 16
    assert mdp.state_names[16] == "ended"
    assert hitting_probability(mdp, policy, ended)[0] == pytest.approx(1)


def test_the_taxi_starts_at_7_93_on_average():
    env = latest("Taxi")
    mdp, reward = FiniteMDP.from_gymnasium(env), rewards_from_gymnasium(env)
    best = solve_finite_horizon(mdp, reward, 200).value[0, 0]
    starts = mdp.start > 0
    assert starts.sum() == 300
    assert best @ mdp.start == pytest.approx(7.93, abs=0.02)
    assert best[starts].max() <= 20


def test_an_environment_without_a_table_is_refused():
    with pytest.raises(ModelError, match=r"no transition table `env.unwrapped.P`"):
        FiniteMDP.from_gymnasium(latest("CartPole"))
