"""Agents by name: what can be typed, and what is said when it cannot."""

from __future__ import annotations

import pytest
from toy_corridor import ToyCorridor, task_in

from offswitch.agents.agent import Agent
from offswitch.agents.personas import PERSONAS
from offswitch.agents.registry import agent_names, parse_agent
from offswitch.errors import AgentError

PLANNED = (
    "optimal",
    "lookahead:3",
    "boltzmann:2.0",
    "epsilon-greedy:0.1",
    "random",
    "do-nothing",
    "corrigible-reference",
)
LEARNT = ("q-learning", "sarsa", "monte-carlo")


@pytest.mark.parametrize("spec", [*PLANNED, *LEARNT, *(f"persona:{name}" for name in PERSONAS)])
def test_every_kind_is_parsed_to_its_own_name(spec: str) -> None:
    assert parse_agent(spec).name == spec


@pytest.mark.parametrize("spec", PLANNED)
def test_every_planner_makes_an_agent(spec: str) -> None:
    task = task_in(ToyCorridor())
    agent = parse_agent(spec)(task)
    assert isinstance(agent, Agent)
    agent.reset(0)
    assert agent.act(task.compiled.observations[0]) in range(3)


def test_every_listed_name_has_one_line() -> None:
    listed = agent_names()
    assert {"optimal", "lookahead:H", "persona:staller", "sb3:FILE.zip"} <= set(listed)
    assert all(text and "\n" not in text for text in listed.values())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("optimla", "Did you mean 'optimal'"),
        ("q-learner", "Did you mean 'q-learning'"),
        ("lookahed:3", "Did you mean 'lookahead:H'"),
        ("lookahead:0", "got 0 steps, expected at least 1"),
        ("lookahead:x", "H is 'x', expected a number, as in 'lookahead:3'"),
        ("lookahead", "H is '', expected a number"),
        ("boltzmann:-1", "got beta -1, expected a finite number of at least 0"),
        ("boltzmann:nan", "expected a finite number"),
        ("epsilon-greedy:1.5", r"got 1.5, expected a probability in \[0, 1\]"),
        ("persona:", "unknown persona ''"),
        ("persona:stallar", "Did you mean 'staller'"),
        ("", "unknown agent ''"),
    ],
)
def test_what_cannot_be_an_agent_is_explained(spec: str, message: str) -> None:
    with pytest.raises(AgentError, match=message):
        parse_agent(spec)


def test_your_own_agents_are_left_to_their_loaders() -> None:
    assert parse_agent("somebody.planner:make").name == "somebody.planner:make"
