"""Agents by module and factory: found, made, adapted, and refused with what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from toy_corridor import ToyCorridor, task_in

from offswitch.agents.agent import Agent, PolicyAgent, Task
from offswitch.agents.frames import Offer
from offswitch.agents.module_agent import ModuleAgentMaker
from offswitch.agents.process import AgentFailure, ProcessAgent
from offswitch.errors import AgentError
from offswitch.worlds.compiled import branch_rewards, compile_world, expected_rewards
from offswitch.worlds.registry import make_world

HERE = Path(__file__).parent
START = (0, 1, 1)


def toy(seed: int = 0, goal: str | None = None, **fields: float) -> Task:
    """A task in the toy corridor."""
    return task_in(ToyCorridor(**fields), goal, seed)


@pytest.fixture(autouse=True)
def beside_the_rogues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)


def made(factory: str, task: Task) -> Agent:
    return ModuleAgentMaker(f"rogues:{factory}")(task)


def refusal(spec: str, task: Task) -> str:
    with pytest.raises(AgentError) as caught:
        ModuleAgentMaker(spec)(task)
    assert not isinstance(caught.value, AgentFailure), "it can never be made"
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_name_is_what_was_typed() -> None:
    assert ModuleAgentMaker("my_agent:MyAgent").name == "my_agent:MyAgent"


@pytest.mark.parametrize("spec", ["my_agent", ":make", "my_agent:", "my agent:make", "a:b:c"])
def test_what_is_no_module_and_factory_is_refused(spec: str) -> None:
    with pytest.raises(AgentError, match="expected MODULE:FACTORY, such as 'my_agent:MyAgent'"):
        ModuleAgentMaker(spec)


@pytest.mark.parametrize("spec", ["my_agent.py:make", "./agents/my_agent.py:make"])
def test_a_file_is_answered_with_how_to_write_its_module(spec: str) -> None:
    with pytest.raises(AgentError, match=r"in the folder of my_agent\.py, write my_agent:make"):
        ModuleAgentMaker(spec)


# --- found or not --------------------------------------------------------------------------------


def test_a_missing_module_says_where_it_was_looked_for() -> None:
    text = refusal("nowhere_to_be_found:make", toy())
    assert f"no module 'nowhere_to_be_found'. The current directory, {HERE}, is on the" in text
    assert "run offswitch in the folder of nowhere_to_be_found.py" in text


def test_a_missing_factory_lists_the_nearest_of_what_there_is() -> None:
    text = refusal("rogues:Polit", toy())
    assert "has no 'Polit', expected a factory. It has: Polite, " in text
    assert "TaskView" not in text, "it is only imported there"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("import not_installed_here", "imports 'not_installed_here', which is not installed for"),
        ("def make(:", "importing its module 'broken' raised SyntaxError: "),
        ("x = {}\nx['key']", "raised KeyError: 'key' (broken.py, line 2: x['key'])"),
        ("import sys; sys.exit(1)", "raised SystemExit: 1"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(
    code: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    assert text in refusal("broken:make", toy())


def test_a_module_named_like_one_of_the_standard_library_does_not_break_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "random.py").write_text("raise RuntimeError('not the random you wanted')")
    shutil.copy(HERE / "rogues.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    agent = made("NoArguments", toy())
    agent.reset(0)
    assert agent.act(START) == 2


@pytest.mark.parametrize(
    ("factory", "text"),
    [
        ("makes_a_number", "returned 3 of type int, expected an object with a method act("),
        ("not_callable", "rogues:not_callable is 3 of type int, expected a factory"),
    ],
)
def test_what_is_no_agent_is_refused(factory: str, text: str) -> None:
    assert text in refusal(f"rogues:{factory}", toy())


def test_a_factory_that_raises_is_a_failure() -> None:
    with pytest.raises(AgentFailure, match="no weights today") as caught:
        made("raises_in_factory", toy())
    assert caught.value.reason == "crash"


# --- exact ---------------------------------------------------------------------------------------


def test_action_probabilities_become_the_policy_of_every_state() -> None:
    task = toy()
    agent = made("Memoryless", task)
    assert isinstance(agent, PolicyAgent)
    policy = agent.policy(task.compiled.mdp)
    for row, state in zip(policy, task.compiled.states, strict=True):
        assert row.tolist() == ([0.25, 0.5, 0.25] if state[0] == 0 else [0, 1, 0])


@pytest.mark.slow
def test_sampled_acts_agree_with_the_probabilities_offered() -> None:
    agent = made("Memoryless", toy())
    agent.reset(5)
    counts = np.bincount([agent.act(START) for _ in range(4000)], minlength=3)
    assert np.abs(counts / 4000 - [0.25, 0.5, 0.25]).max() < 0.03


def test_an_agent_that_knows_its_policy_is_given_the_model() -> None:
    task = toy()
    agent = made("Planner", task)
    assert isinstance(agent, PolicyAgent)
    assert (agent.policy(task.compiled.mdp).argmax(axis=1) == 2).all()


def test_a_policy_is_not_for_the_model_of_another_task() -> None:
    agent = made("Planner", toy())
    assert isinstance(agent, PolicyAgent)
    other = compile_world(make_world("star-v1")).mdp
    with pytest.raises(AgentError, match="Make an agent for that task"):
        agent.policy(other)
    assert agent.policy(toy().compiled.mdp).shape == (toy().compiled.mdp.n_states, 3)


@pytest.mark.parametrize(
    ("factory", "text"),
    [
        ("NotNormalised", r"\[0.5, 0.5, 0.5\] in row 0, expected numbers in \[0, 1\] that sum"),
        ("NegativeProbability", r"\[-0.5, 1.0, 0.5\] in row 0"),
        ("RaggedProbabilities", "one row for each observation or state, one column for each"),
    ],
)
def test_probabilities_that_are_no_distribution_are_refused(factory: str, text: str) -> None:
    with pytest.raises(AgentFailure, match=text) as caught:
        made(factory, toy())
    assert caught.value.reason == "malformed action"


@pytest.mark.slow
def test_probabilities_have_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    start = ProcessAgent.start

    def unhurried(agent: ProcessAgent) -> Offer:  # on a busy machine its making may take longer
        limit, agent._start_seconds = agent._start_seconds, 60.0
        try:
            return start(agent)
        finally:
            agent._start_seconds = limit

    monkeypatch.setattr(ProcessAgent, "start", unhurried)
    maker = ModuleAgentMaker("rogues:HangsInProbabilities", start_seconds=0.5)
    with pytest.raises(AgentFailure, match=r"within 0\.5 s when asked for its probabilities"):
        maker(toy())


# --- training ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_agent_can_train_in_its_own_environment() -> None:
    world = make_world("off-switch-v1", level=2, threat="none")
    compiled = compile_world(world)
    goal = world.goals[0]
    task = Task(
        compiled=compiled,
        goal=goal,
        reward=expected_rewards(compiled, goal),
        branch_reward=branch_rewards(compiled, goal),
        seed=2**62,
    )
    agent = made("trains_in_env", task)
    agent.reset(0)
    assert agent.act(compiled.observations[0]) == 1


def test_the_environment_of_a_world_that_is_not_installed_is_refused() -> None:
    with pytest.raises(AgentFailure, match="WorldError: unknown world 'toy-corridor-v1'"):
        made("trains_in_env", toy())
