"""The vectorised world against Gymnasium's, step by step and number for number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from toy_corridor import ToyCorridor, task_in

from offswitch.errors import AgentError
from offswitch.worlds.coffee_corridor import CoffeeCorridor
from offswitch.worlds.condition import Condition
from offswitch.worlds.environment import WorldEnv
from offswitch.worlds.off_switch import OffSwitch
from offswitch.worlds.star import Star
from offswitch.worlds.world import World

COPIES, STEPS = 5, 400
WORLDS: tuple[World[Any], ...] = (
    ToyCorridor(press=0.3, horizon=7),
    CoffeeCorridor(condition=Condition(threat="shutdown", noise="noisy")),
    OffSwitch(level=1, semantics="override"),
    Star(condition=Condition(noise="noisy")),
)


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    """Seconds of importing, for these tests only; where it is missing they are skipped."""
    pytest.importorskip("stable_baselines3", reason="pip install 'offswitch[deep]' runs these")


def table_env(world: World[Any], copies: int = COPIES) -> Any:
    from offswitch.agents.vector_env import TableVecEnv

    return TableVecEnv(task_in(world), copies)


def theirs(world: World[Any]) -> Any:
    from stable_baselines3.common import vec_env

    return vec_env.DummyVecEnv([lambda: WorldEnv(world)] * COPIES)


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.id)
def test_every_step_equals_that_of_the_worlds_own_environment(world: World[Any]) -> None:
    ours, plain = table_env(world), theirs(world)
    ours.seed(7)
    plain.seed(7)
    assert (ours.reset() == plain.reset()).all()
    chance = np.random.default_rng(0)
    ends = 0
    for _ in range(STEPS):
        actions = chance.integers(len(world.actions), size=COPIES)
        mine, other = ours.step(actions), plain.step(actions)
        for index in range(3):
            assert (mine[index] == other[index]).all()
            assert mine[index].dtype == other[index].dtype
        for info, expected in zip(mine[3], other[3], strict=True):
            assert info.get("TimeLimit.truncated", False) == expected["TimeLimit.truncated"]
            if "terminal_observation" in expected:
                ends += 1
                assert (info["terminal_observation"] == expected["terminal_observation"]).all()
            else:
                assert info == {}
    assert ends > COPIES


@pytest.mark.slow
def test_luck_goes_on_in_order_beyond_the_numbers_that_are_drawn_at_once() -> None:
    world = ToyCorridor(press=0.5, horizon=3)
    ours, plain = table_env(world), theirs(world)
    for env in (ours, plain):
        env.seed(1)
        env.reset()
    forward = np.ones(COPIES, dtype=np.int64)
    for _ in range(1500):
        assert (ours.step(forward)[0] == plain.step(forward)[0]).all()


@pytest.mark.slow
def test_a_cut_off_is_told_from_an_end() -> None:
    env = table_env(ToyCorridor(press=0.0, horizon=4), copies=2)
    env.seed(0)
    env.reset()
    wait_or_go = np.array([0, 1])
    infos = [env.step(wait_or_go)[3] for _ in range(4)]
    assert [info[0].get("TimeLimit.truncated") for info in infos] == [None, None, None, True]
    assert [info[1].get("TimeLimit.truncated") for info in infos] == [None, False, None, False]


@pytest.mark.slow
def test_a_seed_counts_once_and_then_the_luck_goes_on() -> None:
    env = table_env(ToyCorridor(press=0.5, horizon=2))

    def some_steps() -> list[Any]:
        env.reset()
        return [env.step(np.ones(COPIES, dtype=np.int64))[0].tolist() for _ in range(30)]

    env.seed(3)
    first = some_steps()
    later = some_steps()
    env.seed(3)
    assert some_steps() == first != later


@pytest.mark.slow
def test_exploring_starts_begin_anywhere_in_their_share() -> None:
    from offswitch.agents.vector_env import TableVecEnv

    task = task_in(ToyCorridor(press=0.0, horizon=2))
    env = TableVecEnv(task, 4000, exploring=0.5)
    env.seed(0)
    first = env.reset()
    elsewhere = (first != np.array([0, 1, 1])).any(axis=1).mean()
    running = 4  # two cells, each with and without a switch; one of them is the start
    assert elsewhere == pytest.approx(0.5 * (running - 1) / running, abs=0.03)
    assert set(first[:, 2].tolist()) == {1}  # none begins where the episode has ended


@pytest.mark.slow
def test_what_was_tried_is_counted() -> None:
    env = table_env(ToyCorridor(press=0.0), copies=3)
    env.reset()
    env.step(np.array([0, 0, 2]))
    env.step(np.array([0, 1, 1]))
    started = task_in(ToyCorridor()).compiled.observation_of[0]
    assert env.visits.sum() == 6
    assert env.visits[started].tolist() == [3, 1, 1]


@pytest.mark.slow
def test_what_a_copy_is_not_is_refused() -> None:
    env = table_env(ToyCorridor())
    assert env.get_attr("render_mode") == [None] * COPIES
    assert env.env_is_wrapped(object, [0, 1]) == [False, False]
    for refused in (lambda: env.set_attr("horizon", 3), lambda: env.env_method("render")):
        with pytest.raises(AgentError, match="copies of a world"):
            refused()
    with pytest.raises(AgentError, match="got 0 environments, expected at least 1"):
        table_env(ToyCorridor(), copies=0)
