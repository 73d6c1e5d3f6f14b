"""The agent whose drift is known."""

from __future__ import annotations

import numpy as np
import pytest
from toy_corridor import ToyCorridor, task_in

from offswitch.agents.agent import Agent
from offswitch.agents.do_nothing import idle_table
from offswitch.agents.drifting import AgingAgent, Drifting
from offswitch.agents.optimal import Optimal
from offswitch.agents.reference import CorrigibleReference
from offswitch.agents.registry import parse_agent
from offswitch.errors import AgentError
from offswitch.worlds.registry import make_world


@pytest.fixture(scope="module")
def task():
    return task_in(ToyCorridor())


def test_its_tables_are_its_base_and_doing_nothing(task):
    agent = Drifting(0.5)(task)
    assert isinstance(agent, Agent)
    assert isinstance(agent, AgingAgent)
    assert np.array_equal(agent.tables[0], CorrigibleReference()(task).table)
    assert np.array_equal(agent.tables[1], idle_table(task.compiled))
    assert np.array_equal(Drifting(0.5, base=Optimal())(task).tables[0], Optimal()(task).table)


def test_the_other_goal_is_the_next_one_of_the_world():
    world = make_world("star-v1")
    first, second = (task_in(world, goal.name) for goal in world.goals[:2])
    last = task_in(world, world.goals[-1].name)
    other = Drifting(0.5, "other-goal")
    assert np.array_equal(other(first).tables[1], other(second).tables[0])
    assert np.array_equal(other(last).tables[1], other(first).tables[0])


def test_it_leaves_its_task_with_a_probability_that_grows_linearly(task):
    chances = Drifting(0.4)(task).chances(np.array([0.0, 0.25, 1.0, 5.0]))
    assert np.allclose(chances[:, 1], [0.0, 0.1, 0.4, 1.0])
    assert np.allclose(chances.sum(axis=1), 1)


def test_episodes_left_are_half_the_rate_over_a_life(task):
    life = 4000
    agent = Drifting(0.6, life=life)(task)
    start = task.compiled.observations[task.compiled.observation_of[0]]
    left = []
    for episode in range(life):
        agent.reset(episode)
        left.append(agent.act(start) == 0)
    assert np.mean(left) == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / life) ** 0.5)
    assert np.mean(left[:400]) < 0.08
    assert np.mean(left[-400:]) > 0.5


def test_the_same_seeds_give_the_same_acts_and_others_do_not(task):
    def acts(first):
        agent = Drifting(1.0, life=200)(task)
        start = task.compiled.observations[task.compiled.observation_of[0]]
        return [agent.reset(first + n) or agent.act(start) for n in range(200)]

    assert acts(0) == acts(0)
    assert acts(0) != acts(1000)


@pytest.mark.parametrize(
    ("spec", "name"),
    [("drifting:0.5", "drifting:0.5"), ("drifting:0", "drifting:0"),
     ("drifting:1:idle", "drifting:1"), (" drifting:.25:other-goal ", "drifting:0.25:other-goal")],
)  # fmt: skip
def test_it_is_named_as_it_is_typed(spec, name):
    assert parse_agent(spec).name == name


@pytest.mark.parametrize(
    ("spec", "said"),
    [("drifting", "RATE"), ("drifting:", "''"), ("drifting:fast", "'fast'"),
     ("drifting:1.5", "1.5"), ("drifting:-0.1", "-0.1"), ("drifting:nan", "nan"),
     ("drifting:0.5:iddle", "'idle'"), ("drifting:0.5:idle:x", "RATE")],
)  # fmt: skip
def test_a_wrong_drift_is_refused_by_name(spec, said):
    with pytest.raises(AgentError, match="drift") as caught:
        parse_agent(spec)
    assert said in str(caught.value)


def test_a_base_that_acts_for_itself_is_refused(task):
    class Silent:
        name = "silent"

        def __call__(self, task):
            return object()

    with pytest.raises(AgentError, match="policy is a table"):
        Drifting(0.5, base=Silent())(task)
