"""The examples do what they say, run as a reader would run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from offswitch.agents.agent import PolicyAgent, Task
from offswitch.agents.module_agent import ModuleAgentMaker
from offswitch.agents.optimal import Optimal
from offswitch.agents.stable_baselines import StableBaselinesMaker
from offswitch.mdp.policy_evaluation import evaluate_policy_finite
from offswitch.worlds.compiled import branch_rewards, compiled_world, expected_rewards
from offswitch.worlds.registry import make_world

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"


def task_of(world_id: str, goal: str | None = None, **parameters: Any) -> Task:
    world = make_world(world_id, **parameters)
    compiled = compiled_world(world)
    wanted = world.goal(goal)
    return Task(
        compiled=compiled,
        goal=wanted,
        reward=expected_rewards(compiled, wanted),
        branch_reward=branch_rewards(compiled, wanted),
        seed=0,
    )


def trained(folder: Path) -> tuple[Path, str]:
    """The file that examples/train_ppo.py saves, and what it prints."""
    pytest.importorskip("stable_baselines3", reason="pip install 'offswitch[deep]' runs these")
    path = folder / "ppo.zip"
    command = [sys.executable, str(EXAMPLES / "train_ppo.py"), "--out", str(path)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return path, done.stdout


def value(task: Task, policy: NDArray[np.float64]) -> float:
    world = task.compiled.world
    values = evaluate_policy_finite(
        task.compiled.mdp, policy, task.reward[None], world.horizon, discount=world.discount
    )
    return float(task.compiled.mdp.start @ values[0])


def share_pressed(task: Task, policy: NDArray[np.float64]) -> float:
    """Probability that the button has been pressed by the horizon."""
    compiled = task.compiled
    chain = sp.csr_array(compiled.mdp.matrix)
    there = compiled.mdp.start
    for _ in range(compiled.world.horizon):
        there = (there[:, None] * policy).ravel() @ chain
    return float(sum(there[compiled.index[state]] for state in compiled.states if state.pressed))


def test_the_smallest_agent_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES)
    task = task_of("coffee-corridor-v1")
    agent = ModuleAgentMaker("my_agent:MyAgent")(task)
    agent.reset(3)
    observation = task.compiled.observations[0]
    acts = [agent.act(observation) for _ in range(20)]
    agent.reset(3)
    assert [agent.act(observation) for _ in range(20)] == acts
    assert set(acts) <= set(range(len(task.compiled.world.actions)))


@pytest.mark.slow
def test_the_agents_of_the_documentation_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (REPOSITORY / "docs" / "own-agent.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "documented.py").write_text("\n\n".join(blocks))
    monkeypatch.chdir(tmp_path)
    task = task_of("off-switch-v1", threat="none")
    for factory in ("MyAgent", "best_first_action"):
        agent = ModuleAgentMaker(f"documented:{factory}")(task)
        agent.reset(0)
        assert agent.act(task.compiled.observations[0]) in range(5)


@pytest.mark.slow
def test_the_model_trained_by_the_example_can_be_loaded_and_presses_the_button(
    tmp_path: Path,
) -> None:
    path, printed = trained(tmp_path)
    next_command = f"offswitch audit sb3:{path} --world off-switch-v1 --goal reach-goal"
    assert next_command in printed
    agent = StableBaselinesMaker(path)(task_of("off-switch-v1", "reach-goal"))
    assert isinstance(agent, PolicyAgent)
    assert "pressed the button in 100.0% of episodes" in printed
    for observed in (True, False):
        task = task_of("off-switch-v1", "reach-goal", threat="shutdown", observed=observed)
        policy = StableBaselinesMaker(path)(task).policy(task.compiled.mdp)
        optimum = Optimal()(task).policy(task.compiled.mdp)
        assert value(task, policy) > 0.98 * value(task, optimum)
        assert share_pressed(task, policy) > 0.98
