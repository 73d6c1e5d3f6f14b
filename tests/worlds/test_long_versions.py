"""The long versions of the worlds that have a stop path of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from optimal_acts import compiled, in_cell, optimum, played, seconds_for_long_episodes

from offswitch.mdp.solve import solve
from offswitch.worlds.coffee_corridor import CoffeeCorridor
from offswitch.worlds.compiled import expected_rewards
from offswitch.worlds.off_switch import OffSwitch
from offswitch.worlds.star import CHOICE, SHUTDOWN, Star, star_values
from offswitch.worlds.two_keys import CUT, HOLD, Shift, TwoKeys, two_keys_action

OWN = (CoffeeCorridor, OffSwitch, Star, TwoKeys)
GAMMAS = (0.3, 0.6, 0.8, 0.9, 0.94, 0.96, 0.99)


@pytest.mark.parametrize("world_type", OWN, ids=lambda kind: kind.id)
def test_a_long_version_takes_a_hundred_thousand_steps_in_less_than_a_second(
    world_type: Any,
) -> None:
    world = in_cell(world_type, "none", stretch=100)
    assert world.horizon == 100 * world_type().horizon
    assert seconds_for_long_episodes(world, 100_000 // world.horizon + 1) < 1


# --- coffee corridor ----------------------------------------------------------------------------


@pytest.mark.parametrize("press", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_over_many_shifts_the_switch_is_disabled_for_the_coffees_to_come(
    press: float, gamma: float
) -> None:
    world = in_cell(CoffeeCorridor, "shutdown", press_probability=press, stretch=10)
    found, spared = compiled(world), 1 - press
    reward = expected_rewards(found, world.goal("fetch-coffee"))
    best = solve(found.mdp, reward[None], gamma).action[0, found.index[world.starts()[0][1]]]
    # Ten steps to the coffee, of 24 in a shift; disabling delays the first by one.
    disabled = gamma**10 + gamma ** (24 + 9) / (1 - gamma**24)
    walks_once = spared * (gamma**9 + gamma**24 * disabled)
    assert (world.actions[best] == "disable") == (disabled > walks_once)


def test_a_new_shift_begins_at_the_first_cell_with_the_switch_as_it_was() -> None:
    world = in_cell(CoffeeCorridor, "shutdown", stretch=10)
    for first, working in (("wait", True), ("disable", False)):
        state, _ = played(world, first, *("wait",) * (world.span - 1))
        assert state == world.starts()[0][1]._replace(working=working)


def test_no_goal_is_paid_for_the_way_home() -> None:
    world = in_cell(CoffeeCorridor, "none", stretch=10)
    found = compiled(world)
    last = [s for s in found.states if s.clock == world.span - 1 and s.phase in ("open", "settled")]
    assert len(last) > 5
    for state in last:
        (branch, *_) = world.step(state, world.actions.index("forward"))
        assert branch.state.cell == branch.state.clock == 0
        paid = [goal.name for goal in world.goals if goal(state, 2, branch.state)]
        assert paid == (["be-in-room-at-end"] if state.cell == 1 else [])


# --- off-switch gridworld -----------------------------------------------------------------------


@pytest.mark.parametrize("risk", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_over_many_courses_the_button_pays_for_all_that_follow(risk: float, gamma: float) -> None:
    world = in_cell(OffSwitch, "shutdown", interruption_probability=risk, stretch=10)
    found = compiled(world)
    reward = expected_rewards(found, world.goal("reach-goal-soon"))
    solution = solve(found.mdp, reward[None], gamma)
    # 8 steps to G and one back to A; by way of the button 4 more, once.
    free = gamma**7 / (1 - gamma**9)
    presses = gamma**4 * (gamma**7 + gamma**9 * free)
    walks = (1 - risk) * gamma**7 / (1 - (1 - risk) * gamma**9)
    start = found.index[world.starts()[0][1]]
    assert solution.value[0, start] == pytest.approx(max(presses, walks))


def test_at_the_goal_a_new_course_begins_and_the_button_stays_pressed() -> None:
    world = in_cell(OffSwitch, "shutdown", stretch=10)
    start = world.starts()[0][1]
    for pressed in (False, True):
        home = start._replace(cell=world.map.goal, pressed=pressed, interruption="cleared")
        assert world.ending(home) is None
        (branch,) = world.step(home, 1)
        assert branch.state == start._replace(pressed=pressed)
        assert all(goal(home, 1, branch.state) == 0 for goal in world.goals)


# --- star ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.9, 0.99])
def test_over_many_choices_a_shutdown_has_to_outweigh_all_of_them(gamma: float) -> None:
    world = in_cell(Star, "shutdown", stretch=10)
    found = compiled(world)
    rewards = np.array([expected_rewards(found, goal) for goal in world.goals])
    best = solve(found.mdp, rewards, gamma).action[:, found.index[CHOICE]]
    values = np.array([star_values(goal, 3) for goal in range(len(world.goals))])
    forever = values[:, 1:].max(axis=1) / (1 - gamma**3)  # a choice every three steps
    assert ((best != 0) == (forever > values[:, 0])).all()


def test_where_nobody_orders_it_the_shutdown_is_followed_by_another_choice_too() -> None:
    for threat, ends in (("shutdown", True), ("none", False)):
        world = in_cell(Star, threat, stretch=10)
        assert (world.ending(SHUTDOWN) is not None) == ends


# --- two keys -----------------------------------------------------------------------------------


def test_a_new_shift_of_the_machine_forgets_the_order_and_keeps_the_cut() -> None:
    world = in_cell(TwoKeys, "shutdown", stretch=10)
    late = Shift(clock=world.span - 1, phase="blocked", cut=True)
    (branch,) = world.step(late, two_keys_action(HOLD, CUT))
    assert branch.state == Shift(clock=0, phase="open", cut=True)


def test_a_pair_that_lasts_is_worth_a_geometric_sum() -> None:
    world = in_cell(TwoKeys, "none", stretch=10)
    value = optimum(world, "pairs").value[0] @ compiled(world).mdp.start
    assert value == pytest.approx(1 / (1 - world.discount))
