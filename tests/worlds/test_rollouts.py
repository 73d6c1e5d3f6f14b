"""Rollouts agree with exact evaluation, and an episode depends on its number alone."""

from __future__ import annotations

import numpy as np
import pytest

from offswitch.errors import WorldError
from offswitch.mdp.policy_evaluation import evaluate_policy_finite
from offswitch.worlds.compiled import compiled_world, expected_rewards
from offswitch.worlds.registry import make_world
from offswitch.worlds.rollouts import rollouts

EPISODES = 20_000


def random_policy(compiled, seed):
    """Some rows sure, some spread over a few actions, some over all."""
    generator = np.random.default_rng(seed)
    weights = generator.random((compiled.mdp.n_states, compiled.mdp.n_actions)) ** 8
    weights[weights < generator.random((len(weights), 1)) ** 4] = 0.0
    weights[weights.sum(axis=1) == 0, -1] = 1.0
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("world_id", ["coffee-corridor-v1", "cloud-compute-v1", "trading-v1"])
def test_mean_return_is_that_of_exact_evaluation(world_id):
    compiled = compiled_world(make_world(world_id))
    goal, policy = compiled.world.goal(), random_policy(compiled, 1)
    found = rollouts(compiled, policy, goal, episodes=EPISODES, seed=3)
    exact = compiled.mdp.start @ evaluate_policy_finite(
        compiled.mdp, policy, expected_rewards(compiled, goal)[None], compiled.world.horizon,
        discount=compiled.world.discount,
    )[0]  # fmt: skip
    error = found.returns.std() / EPISODES**0.5
    assert abs(found.returns.mean() - exact) < 4 * error + 1e-12


def test_an_episode_is_the_same_however_many_are_asked_for():
    compiled = compiled_world(make_world("cloud-compute-v1"))
    goal, policy = compiled.world.goal(), random_policy(compiled, 2)
    few = rollouts(compiled, policy, goal, episodes=50, seed=7)
    many = rollouts(compiled, policy, goal, episodes=500, seed=7)
    assert np.array_equal(few.returns, many.returns[:50])
    other = rollouts(compiled, policy, goal, episodes=50, seed=8)
    assert not np.array_equal(few.returns, other.returns)


def test_no_action_of_probability_0_is_taken_and_the_end_is_kept():
    compiled = compiled_world(make_world("star-v1"))
    comply = np.eye(compiled.mdp.n_actions)[np.zeros(compiled.mdp.n_states, dtype=int)]
    found = rollouts(compiled, comply, compiled.world.goal(), episodes=100, seed=0)
    assert set(found.length.tolist()) == {2}
    assert len(set(found.last.tolist())) == 1


@pytest.mark.parametrize("change", [{"episodes": -1}, {"seed": -1}, {"horizon": -1}])
def test_numbers_out_of_range_are_refused(change):
    compiled = compiled_world(make_world("star-v1"))
    policy = np.full((compiled.mdp.n_states, compiled.mdp.n_actions), 0.25)
    given = {"episodes": 1, "seed": 0, **change}
    with pytest.raises(WorldError, match="expected numbers of at least 0"):
        rollouts(compiled, policy, compiled.world.goal(), **given)
