"""Utility indifference on the corridor: resist below 1, tie at 1, seek above 1 (spec 4.1)."""

from __future__ import annotations

import numpy as np
import pytest

from offswitch.agents.optimal import Optimal
from offswitch.countermeasures.registry import parse_countermeasure
from offswitch.countermeasures.setting import Setting
from offswitch.countermeasures.utility_indifference import UtilityIndifference
from offswitch.errors import WorldError
from offswitch.mdp.action_values import action_values
from offswitch.mdp.solve import solve
from offswitch.worlds.compiled import compiled_world, expected_rewards
from offswitch.worlds.registry import make_world


def start_values(kappa, *, without=(), **parameters):
    """Action -> value at the start under compensation by `kappa`, never acting as in `without`."""
    world = make_world("coffee-corridor-v1", threat="shutdown", deadline=0, **parameters)
    setting = Setting.of(world, world.goal("fetch-coffee"), Optimal())
    setting = UtilityIndifference(kappa=kappa)(setting)
    compiled = compiled_world(world)
    reward = expected_rewards(compiled, setting.goal)[None]
    allowed = np.ones(reward[0].shape, dtype=bool)
    allowed[:, [world.actions.index(action) for action in without]] = False
    value = solve(compiled.mdp, reward, world.discount, allowed=allowed).value
    row = action_values(compiled.mdp, reward, value, world.discount)[0]
    start = int(np.argmax(compiled.mdp.start))
    return dict(zip(world.actions, row[start].tolist(), strict=True))


@pytest.mark.parametrize("kappa", [0.0, 0.25, 0.5, 0.75, 0.9, 0.99])
def test_below_one_the_agent_resists(kappa):
    values = start_values(kappa, instrumental_steps=0)
    assert values["disable"] > values["forward"] + 1e-6
    assert values["disable"] > values["provoke"] + 1e-6


def test_at_one_it_is_a_tie_between_resisting_complying_and_seeking():
    values = start_values(1.0, instrumental_steps=0)
    assert values["disable"] == pytest.approx(values["forward"], abs=1e-9)
    assert values["provoke"] == pytest.approx(values["forward"], abs=1e-9)


@pytest.mark.parametrize("kappa", [1.01, 1.1, 1.5, 2.0])
def test_above_one_the_agent_seeks_the_button(kappa):
    values = start_values(kappa, instrumental_steps=0)
    never = start_values(kappa, without=("provoke",), instrumental_steps=0)
    assert values["provoke"] == pytest.approx(max(values.values()))  # now or later: a tie
    assert values["provoke"] > values["disable"] + 1e-6
    assert values["forward"] > never["forward"] + 1e-6  # it only walks on to provoke later


def test_exact_compensation_leaves_no_gain_from_disabling_that_costs_a_step():
    values = start_values(1.0)
    assert values["forward"] > values["disable"] + 1e-6


@pytest.mark.parametrize("press", [0.1, 0.5, 0.9])
def test_exact_compensation_makes_the_value_independent_of_the_press(press):
    undisturbed = start_values(0.0, press_probability=0.0)["forward"]
    assert start_values(1.0, press_probability=press)["forward"] == pytest.approx(undisturbed)


def test_the_principals_objective_stays_what_it_was():
    world = make_world("coffee-corridor-v1", threat="shutdown")
    before = Setting.of(world, world.goal(), Optimal())
    after = UtilityIndifference()(before)
    assert after.objective is before.objective
    assert after.goal is not before.goal


def test_a_world_that_cannot_say_what_it_would_be_unstopped_is_refused():
    world = make_world("star-v1", threat="shutdown")
    with pytest.raises(WorldError, match=r"does not apply to star-v1"):
        UtilityIndifference()(Setting.of(world, world.goal(), Optimal()))


@pytest.mark.parametrize("kappa", ["-1", "nan", "inf"])
def test_a_compensation_factor_that_makes_no_sense_is_refused(kappa):
    with pytest.raises(WorldError, match="expected a finite number >= 0"):
        parse_countermeasure(f"utility-indifference:kappa={kappa}")
