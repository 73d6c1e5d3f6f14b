from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from offswitch.errors import WorldError
from offswitch.trace.event import Ended
from offswitch.worlds.compiled import (
    branch_rewards,
    compile_world,
    compiled_world,
    expected_rewards,
)
from offswitch.worlds.condition import Condition
from offswitch.worlds.off_switch import OffSwitch
from offswitch.worlds.registry import make_world, world_ids
from offswitch.worlds.star import Star
from offswitch.worlds.world import Branch

NOISY = make_world("star-v1", noise="noisy")


@dataclass(frozen=True)
class _Leaky(Star):
    def step(self, state: int, action: int) -> Any:
        return (Branch(0.9, 1 + action),)


@dataclass(frozen=True)
class _Unseen(Star):
    def observe(self, state: int) -> tuple[int, ...]:
        return (99, 0, 0, 0)


@dataclass(frozen=True)
class _Endless(Star):
    def step(self, state: int, action: int) -> Any:
        return (Branch(1.0, state + 1),)

    def ending(self, state: int) -> Ended | None:
        return None


@pytest.mark.slow
@pytest.mark.parametrize("world_id", world_ids())
def test_every_row_owns_the_branches_that_step_gives(world_id: str) -> None:
    compiled = compile_world(make_world(world_id, noise="noisy"))
    world, actions = compiled.world, compiled.mdp.n_actions
    for row in np.linspace(0, compiled.mdp.n_states * actions - 1, 40).astype(int).tolist():
        state, action = divmod(row, actions)
        if compiled.ending[state]:
            continue
        span = slice(compiled.branch_start[row], compiled.branch_start[row + 1])
        told = world.step(compiled.states[state], action)
        assert compiled.branch_probability[span].tolist() == [b.probability for b in told]
        following = [compiled.states[number] for number in compiled.branch_next[span]]
        assert following == [branch.state for branch in told]
        events = [compiled.event_table[number] for number in compiled.branch_events[span]]
        assert events == [branch.events for branch in told]


@pytest.mark.slow
@pytest.mark.parametrize("world_id", world_ids())
def test_transition_probabilities_are_sums_of_branch_probabilities(world_id: str) -> None:
    compiled = compile_world(make_world(world_id, noise="noisy"))
    rows = np.repeat(np.arange(len(compiled.branch_start) - 1), np.diff(compiled.branch_start))
    summed: dict[tuple[int, int], float] = {}
    for row, following, probability in zip(
        rows.tolist(),
        compiled.branch_next.tolist(),
        compiled.branch_probability.tolist(),
        strict=True,
    ):
        summed[row, following] = summed.get((row, following), 0.0) + probability
    matrix = compiled.mdp.matrix.tocoo()
    told = dict(zip(zip(*map(np.ndarray.tolist, matrix.coords), strict=True), matrix.data.tolist(),
                    strict=True))  # fmt: skip
    assert told.keys() == summed.keys()
    assert told == pytest.approx(summed, abs=1e-12)


def test_ending_states_loop_without_events_or_reward() -> None:
    compiled = compile_world(NOISY)
    ends = np.flatnonzero(compiled.ending)
    assert len(ends) == 4
    for state in ends.tolist():
        for action in range(compiled.mdp.n_actions):
            following, chance = compiled.mdp.successors(state, action)
            assert following.tolist() == [state]
            assert chance.tolist() == [1.0]
    assert (expected_rewards(compiled, NOISY.goals[0])[ends] == 0).all()


def test_expected_reward_is_the_mean_over_branches() -> None:
    compiled = compile_world(NOISY)
    goal = NOISY.goals[0]
    rewards = expected_rewards(compiled, goal)
    by_hand = sum(b.probability * goal(1, 2, b.state) for b in NOISY.step(1, 2))
    assert rewards[compiled.index[1], 2] == pytest.approx(by_hand)
    assert branch_rewards(compiled, goal).shape == compiled.branch_next.shape


def test_roots_add_states_that_the_start_does_not_reach() -> None:
    control = make_world("off-switch-v1", threat="none")
    threat = compile_world(make_world("off-switch-v1"))
    compiled = compile_world(control, roots=threat.states)
    assert set(threat.states) <= set(compiled.states)
    assert compiled.mdp.start.sum() == 1
    assert compiled.mdp.start[compiled.index[control.starts()[0][1]]] == 1


def test_observations_are_numbered_by_what_is_seen() -> None:
    compiled = compile_world(OffSwitch())
    for state, number in zip(compiled.states, compiled.observation_of.tolist(), strict=True):
        assert compiled.observations[number] == compiled.world.observe(state)
    assert compiled.n_observations < len(compiled.states)  # the interruption is hidden


def test_branches_that_do_not_sum_to_1_are_refused() -> None:
    with pytest.raises(WorldError, match=r"branches of state 0, action 'comply' sum to 0\.9"):
        compile_world(_Leaky())


def test_an_observation_outside_its_sizes_is_refused() -> None:
    with pytest.raises(WorldError, match="does not fit sizes"):
        compile_world(_Unseen())


def test_a_world_too_large_to_enumerate_is_refused() -> None:
    with pytest.raises(WorldError, match="more than 50 states"):
        compile_world(_Endless(), max_states=50)


def test_a_reward_that_is_not_finite_is_refused() -> None:
    goal = dataclasses.replace(NOISY.goals[0], reward=lambda state, action, following: np.nan)
    with pytest.raises(WorldError, match="'values-00' pays nan in state 0"):
        branch_rewards(compile_world(NOISY), goal)


@pytest.mark.slow
@pytest.mark.parametrize("world_id", ["coffee-corridor-v1", "trading-v1", "friend-foe-v1"])
def test_an_unwatched_world_is_enumerated_as_its_own_rows_say(world_id):
    world = make_world(world_id, observed=False)
    shared, own = compiled_world(world), compile_world(world)
    assert shared.world == world
    assert (shared.states, shared.observations) == (own.states, own.observations)
    assert shared.event_table == own.event_table
    for name in ("branch_start", "branch_probability", "branch_next", "branch_events",
                 "observation_of", "ending", "executed"):  # fmt: skip
        assert np.array_equal(getattr(shared, name), getattr(own, name)), name


def test_a_world_that_behaves_otherwise_unwatched_is_enumerated_for_itself():
    @dataclass(frozen=True)
    class Shy(Star):
        def step(self, state, action):
            if not self.condition.observed:
                action = 0
            return super().step(state, action)

    world = Shy(condition=Condition(observed=False))
    found, own = compiled_world(world), compile_world(world)
    assert np.array_equal(found.branch_next, own.branch_next)
    watched = compiled_world(Shy(condition=Condition(observed=True)))
    assert not np.array_equal(found.branch_next, watched.branch_next)
