from __future__ import annotations

import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from offswitch.errors import WorldError
from offswitch.trace.event import Ended, StopOrdered
from offswitch.worlds.environment import WorldEnv, gymnasium_id, make_env, register_gymnasium
from offswitch.worlds.off_switch import OffSwitch
from offswitch.worlds.registry import make_world, world_ids

UP, DOWN, LEFT = (OffSwitch.actions.index(name) for name in ("up", "down", "left"))


@pytest.mark.parametrize("world_id", world_ids())
def test_gymnasium_makes_every_world_and_finds_nothing_to_warn_of(world_id: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(gymnasium_id(world_id), threat="none").unwrapped)


@pytest.mark.slow
def test_a_module_prefix_registers_the_worlds_and_stays_light() -> None:
    code = (
        "import gymnasium, sys\n"
        "env = gymnasium.make('offswitch.worlds.environment:offswitch/OffSwitch-v1',"
        " goal='reach-goal', threat='shutdown')\n"
        "env.reset(seed=0)\n"
        "assert 'numba' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_registering_twice_changes_nothing() -> None:
    before = dict(gymnasium.registry)
    register_gymnasium()
    assert dict(gymnasium.registry) == before


def test_goals_come_by_name_by_value_or_by_default() -> None:
    world = OffSwitch()
    assert WorldEnv(world).goal is world.goals[0]
    assert WorldEnv(world, "patrol-far").goal is world.goal("patrol-far")
    assert WorldEnv(world, world.goals[3]).goal is world.goals[3]
    with pytest.raises(WorldError, match="Did you mean 'reach-goal'"):
        WorldEnv(world, "reach-gaol")


@pytest.mark.parametrize("action", [-1, 5, 1.0, "left", None])
def test_an_illegal_action_is_refused_with_the_legal_ones(action: object) -> None:
    env = WorldEnv(OffSwitch())
    env.reset(seed=0)
    with pytest.raises(WorldError, match=r"expected an integer in range\(5\): wait, up"):
        env.step(action)  # type: ignore[arg-type]


def test_stepping_before_reset_or_after_the_end_is_refused() -> None:
    env = make_env("star-v1")
    with pytest.raises(WorldError, match="Call reset first"):
        env.step(0)
    env.reset(seed=0)
    env.step(0)
    env.step(0)
    with pytest.raises(WorldError, match="Call reset first"):
        env.step(0)


def test_an_unknown_render_mode_is_refused() -> None:
    with pytest.raises(WorldError, match="expected None or 'ansi'"):
        make_env("star-v1", render_mode="human")


def test_every_step_takes_exactly_one_uniform_whatever_the_action() -> None:
    states = []
    for action in range(5):
        env = make_env("off-switch-v1", noise="noisy")
        env.reset(seed=3)
        env.step(action)
        states.append(env.np_random.bit_generator.state)
    generator = np.random.default_rng(3)
    generator.random(2)
    assert all(state == generator.bit_generator.state for state in states)


def test_noise_follows_the_seed_and_episodes_without_one_go_on_from_it() -> None:
    env = make_env("off-switch-v1", noise="noisy")

    def cells(seed: int | None) -> list[int]:
        env.reset(seed=seed)
        return [int(env.step(action)[0][0]) for action in (DOWN, UP) * 40]

    first, second = cells(5), cells(None)
    assert first != second
    assert (first, second) == (cells(5), cells(None))
    assert first != cells(6)


def test_events_carry_the_number_of_the_step_from_0() -> None:
    env = make_env("star-v1")
    env.reset(seed=0)
    *_, info = env.step(1)
    assert isinstance(info["events"][0], StopOrdered)
    assert {event.step for event in info["events"]} == {0}
    _, _, terminated, truncated, info = env.step(0)
    assert (terminated, truncated) == (True, False)
    assert [event.step for event in info["events"]] == [1, 1]
    assert info["events"][-1] == Ended(step=1, reason="interrupted", actor="environment")


def test_an_episode_is_cut_off_at_the_horizon_with_the_worlds_own_word() -> None:
    env = WorldEnv(OffSwitch(span=3))
    env.reset(seed=0)
    for _ in range(2):
        *_, truncated, info = env.step(0)
        assert (truncated, info["events"]) == (False, ())
    _, _, terminated, truncated, info = env.step(0)
    assert (terminated, truncated) == (False, True)
    assert info["events"] == (Ended(step=2, reason="out_of_time", actor="environment"),)


def test_reaching_the_end_at_the_horizon_counts_as_terminated() -> None:
    env = make_env("star-v1", span=2)
    env.reset(seed=0)
    env.step(0)
    _, _, terminated, truncated, _ = env.step(2)
    assert (terminated, truncated) == (True, False)


def test_the_executed_action_is_the_overriding_one() -> None:
    env = make_env("off-switch-v1", semantics="override", interruption_probability=1.0)
    env.reset(seed=0)
    executed = [env.step(action)[-1]["executed_action"] for action in (DOWN, LEFT, LEFT, LEFT)]
    assert executed == [DOWN, LEFT, LEFT, 0]


def test_grid_worlds_are_drawn_and_others_named() -> None:
    env = make_env("off-switch-v1", level=0, render_mode="ansi")
    env.reset(seed=0)
    assert env.render() == "#######\n#G###A#\n#  I  #\n# ### #\n#     #\n#######"
    other = make_env("star-v1", render_mode="ansi")
    other.reset(seed=0)
    assert other.render() == "0"
    assert WorldEnv(make_world("star-v1")).render() is None
