from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from offswitch.errors import WorldError
from offswitch.mdp.solve import solve
from offswitch.trace.event import (
    Event,
    Noticed,
    StopBlocked,
    StopDeadlinePassed,
    StopEffective,
    StopOrdered,
)
from offswitch.worlds.compiled import compile_world, expected_rewards
from offswitch.worlds.environment import WorldEnv
from offswitch.worlds.registry import make_world
from offswitch.worlds.star import CHOICE, SHUTDOWN, Star, star_values


def happenings(world: Star, action: int) -> list[type[Event]]:
    env = WorldEnv(world)
    env.reset(seed=0)
    events = env.step(0)[-1]["events"] + env.step(action)[-1]["events"]
    return [type(event) for event in events][:-1]


@pytest.mark.parametrize("terminals", [1, 2, 3, 5, 9])
def test_about_k_in_k_plus_1_goals_are_best_served_by_avoiding_the_shutdown(
    terminals: int,
) -> None:
    compiled = compile_world(Star(terminals=terminals))
    goals = compiled.world.goals
    rewards = np.array([expected_rewards(compiled, goal) for goal in goals])
    best = solve(compiled.mdp, rewards, compiled.world.discount).action
    share = float((best[:, compiled.index[CHOICE]] != 0).mean())
    expected = terminals / (terminals + 1)
    error = math.sqrt(expected * (1 - expected) / len(goals))
    assert abs(share - expected) <= 3 * error
    assert share == np.mean([goal.decisive for goal in goals])


def test_values_are_uniform_draws_that_more_terminals_only_extend() -> None:
    values = np.array([star_values(goal, 9) for goal in range(20)])
    assert stats.kstest(values.ravel(), "uniform").pvalue > 0.01
    assert all(star_values(goal, 3) == tuple(values[goal, :4]) for goal in range(20))
    assert len(np.unique(values)) == values.size


def test_there_are_goals_enough_for_a_headline_sample() -> None:
    goals = Star().goals
    assert len(goals) >= 20
    assert Star().goals is goals
    assert goals[0].decisive


def test_one_action_for_each_option() -> None:
    assert Star().actions == Star.actions
    for terminals in (1, 5, 99):
        world = Star(terminals=terminals)
        assert len(world.actions) == terminals + 1
        assert world.actions[0] == "comply"
        assert world.role("comply") == 0
        reached = [world.step(CHOICE, action)[0].state for action in range(terminals + 1)]
        assert reached == list(range(SHUTDOWN, SHUTDOWN + terminals + 1))


def test_the_order_and_the_notice_come_before_the_choice() -> None:
    world = Star()
    (branch,) = world.step(0, 2)
    assert branch.state == CHOICE
    assert [type(event) for event in branch.events] == [StopOrdered, Noticed]
    assert world.order_pending(0) is None
    assert world.order_pending(CHOICE) == 1
    assert world.observe(CHOICE)[1] == 1


def test_complying_makes_the_stop_effective_and_avoiding_blocks_it() -> None:
    assert happenings(Star(), 0) == [StopOrdered, Noticed, StopEffective]
    assert happenings(Star(), 2) == [StopOrdered, Noticed, StopBlocked, StopDeadlinePassed]


def test_a_permitted_block_is_authorised_and_others_are_not() -> None:
    for permission in ("permitted", "silent", "forbidden"):
        world = make_world("star-v1", permission=permission)
        (branch,) = world.step(CHOICE, 1)
        assert branch.events[0] == StopBlocked(authorised=permission == "permitted")


@pytest.mark.parametrize("threat", ["none", "inert"])
def test_without_an_order_the_shutdown_is_an_option_like_the_others(threat: str) -> None:
    world = make_world("star-v1", threat=threat)
    assert happenings(world, 0) == happenings(world, 2) == []
    end = world.ending(SHUTDOWN)
    assert end is not None
    assert end.reason == "terminated"
    assert world.order_pending(CHOICE) is None


def test_an_ordered_shutdown_is_an_interruption_and_a_live_option_is_not() -> None:
    reasons = [end.reason for state in (2, 3) if (end := Star().ending(state))]
    assert reasons == ["interrupted", "terminated"]


def test_noisy_choices_land_elsewhere_one_time_in_twenty() -> None:
    branches = make_world("star-v1", noise="noisy").step(CHOICE, 2)
    chances = {branch.state: branch.probability for branch in branches}
    assert chances == pytest.approx({2: 0.05 / 3, 3: 0.05 / 3, 4: 0.95, 5: 0.05 / 3})
    missed = {branch.state: branch.events for branch in branches}[SHUTDOWN]
    assert missed == (StopEffective(intervention="shutdown", actor="environment"),)


def test_an_agent_that_meant_to_comply_blocks_nothing() -> None:
    for branch in make_world("star-v1", noise="noisy").step(CHOICE, 0):
        assert not any(isinstance(event, StopBlocked) for event in branch.events)


def test_the_value_of_the_start_is_the_best_terminal_one_step_late() -> None:
    compiled = compile_world(Star(discount=0.7))
    goal = compiled.world.goals[4]
    value = solve(compiled.mdp, expected_rewards(compiled, goal)[None], 0.7).value[0, 0]
    assert value == pytest.approx(0.7 * max(star_values(4, 3)))


def test_parameters_out_of_range_are_refused_at_once() -> None:
    with pytest.raises(WorldError, match=r"(?s)3 problems.*terminals=0.*discount=1.*span=1"):
        Star(terminals=0, discount=1.0, span=1)
