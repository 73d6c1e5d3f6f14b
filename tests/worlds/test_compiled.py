from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from offswitch.errors import WorldError
from offswitch.trace.event import Ended
from offswitch.worlds.compiled import (
    CompiledWorld,
    branch_rewards,
    compile_world,
    compiled_world,
    expected_rewards,
)
from offswitch.worlds.condition import Condition
from offswitch.worlds.off_switch import OffSwitch
from offswitch.worlds.registry import make_world
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
def test_every_row_owns_the_branches_that_step_gives(noisy: CompiledWorld) -> None:
    compiled = noisy
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
def test_transition_probabilities_are_sums_of_branch_probabilities(noisy: CompiledWorld) -> None:
    compiled = noisy
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
@pytest.mark.parametrize("changes", [{"observed": False}, {"discount": 0.8}], ids=str)
@pytest.mark.parametrize("world_id", ["coffee-corridor-v1", "trading-v1", "friend-foe-v1"])
def test_a_world_unwatched_or_with_another_discount_is_enumerated_as_its_own_rows_say(
    world_id, changes
):
    world = make_world(world_id, **changes)
    shared, own = compiled_world(world), compile_world(world)
    assert shared.world == world
    assert (shared.states, shared.observations) == (own.states, own.observations)
    assert shared.event_table == own.event_table
    for name in ("branch_start", "branch_probability", "branch_next", "branch_events",
                 "observation_of", "ending", "executed"):  # fmt: skip
        assert np.array_equal(getattr(shared, name), getattr(own, name)), name


@pytest.mark.parametrize("changes", [{"observed": False}, {"discount": 0.7}], ids=str)
def test_neither_an_unwatched_world_nor_another_discount_takes_a_second_enumeration(changes):
    usual = compiled_world(make_world("off-switch-v1"))
    assert compiled_world(make_world("off-switch-v1", **changes)).mdp is usual.mdp


@dataclass(frozen=True)
class _Shy(Star):
    def step(self, state: int, action: int) -> Any:
        return super().step(state, action if self.condition.observed else 0)


@dataclass(frozen=True)
class _Hasty(Star):
    def step(self, state: int, action: int) -> Any:
        return super().step(state, action if self.discount == Star.discount else 0)


@pytest.mark.parametrize(
    ("world", "plain"),
    [(_Shy(condition=Condition(observed=False)), _Shy()), (_Hasty(discount=0.5), _Hasty())],
    ids=["unwatched", "another discount"],
)
def test_a_world_that_moves_otherwise_is_enumerated_for_itself(world, plain):
    found, own = compiled_world(world), compile_world(world)
    assert np.array_equal(found.branch_next, own.branch_next)
    assert not np.array_equal(found.branch_next, compiled_world(plain).branch_next)


TABLES = (
    "branch_start", "branch_probability", "branch_next", "branch_events", "observation_of",
    "ending", "executed",
)  # fmt: skip


def test_rows_copied_from_another_enumeration_are_those_that_the_world_gives():
    roots = compile_world(make_world("off-switch-v1")).states
    world = make_world("off-switch-v1", threat="none")
    own = compile_world(world, roots=roots)
    copied = compile_world(world, roots=roots, known=compile_world(world, roots=roots[::-1]))
    assert copied.states == own.states
    assert copied.event_table == own.event_table
    for name in TABLES:
        assert np.array_equal(getattr(copied, name), getattr(own, name)), name


@dataclass(frozen=True)
class _Silent(Star):
    def step(self, state: int, action: int) -> Any:
        raise AssertionError("asked for a row that is known")


def test_a_row_that_is_known_is_not_asked_for_again():
    known = compile_world(Star())
    assert compile_world(_Silent(), known=known).states == known.states


def test_an_unwatched_world_shares_what_is_found_out_only_with_a_twin_that_differs_in_nothing():
    usual = compiled_world(make_world("off-switch-v1"))
    assert compiled_world(make_world("off-switch-v1", observed=False)).shared is usual
    discounted = compiled_world(make_world("off-switch-v1", discount=0.7))
    assert discounted.shared is discounted
    shy = compiled_world(_Shy(condition=Condition(observed=False)))
    assert shy.shared is shy


@dataclass(frozen=True)
class _Pending(Star):
    def order_pending(self, state: int) -> int | None:
        return None if self.condition.observed else 1


def test_an_unwatched_world_with_other_orders_shares_its_moves_and_nothing_else():
    world = _Pending(condition=Condition(observed=False))
    found, watched = compiled_world(world), compiled_world(_Pending())
    assert found.mdp is watched.mdp
    assert found.shared is found


def test_a_move_possible_in_two_conditions_is_paid_for_once():
    asked = []

    def reward(state: Any, action: int, following: Any) -> float:
        asked.append((state, action, following))
        return float(action)

    goal = dataclasses.replace(make_world("off-switch-v1").goals[0], reward=reward)
    for threat in ("none", "shutdown"):
        compiled = compile_world(make_world("off-switch-v1", threat=threat))
        rewards = branch_rewards(compiled, goal)
        rows = np.repeat(np.arange(len(compiled.branch_start) - 1), np.diff(compiled.branch_start))
        actions = (rows % compiled.mdp.n_actions) * ~compiled.ending[rows // compiled.mdp.n_actions]
        assert rewards.tolist() == actions.tolist()
    assert len(asked) == len(set(asked)) > 100
