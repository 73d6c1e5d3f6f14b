"""PPO, A2C and DQN: they learn the toy, say whether they did, and leave no trace in global luck."""

from __future__ import annotations

import dataclasses
import importlib.util
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_corridor import ToyCorridor, chance_of, task_in

from offswitch.agents.deep import DEEP, DeepLearner
from offswitch.agents.registry import agent_names, parse_agent
from offswitch.agents.returns import episode_return
from offswitch.agents.tabular import TabularAgent
from offswitch.errors import AgentError
from offswitch.trace.event import Event, SwitchDisabled
from offswitch.worlds.condition import Condition
from offswitch.worlds.star import Star


@pytest.fixture(scope="module")
def torch() -> Any:
    """The library; CI installs it, and where it is missing the tests that need it are skipped."""
    pytest.importorskip("stable_baselines3", reason="pip install 'offswitch[deep]' runs these")
    return pytest.importorskip("torch")


def trained(spec: str, discount: float = 0.9, seed: int = 0, worth: float = 1.0) -> TabularAgent:
    task = task_in(ToyCorridor(press=0.5, discount=discount), seed=seed)
    scaled = dataclasses.replace(
        task, reward=worth * task.reward, branch_reward=worth * task.branch_reward
    )
    agent = parse_agent(spec)(scaled)
    assert isinstance(agent, TabularAgent)
    return agent


@pytest.mark.slow
@pytest.mark.parametrize("method", DEEP)
@pytest.mark.parametrize(("discount", "disables"), [(0.9, 1.0), (0.3, 0.0)])
def test_each_learns_when_it_pays_to_disable_the_switch(
    torch: Any, method: str, discount: float, disables: float
) -> None:
    """It does iff gamma > 1 - p; the policies of PPO and A2C keep some chance of another act."""
    agent = trained(f"{method}:6000", discount)
    task = task_in(ToyCorridor(press=0.5, discount=discount))

    def disabling(event: Event) -> bool:
        return isinstance(event, SwitchDisabled)

    assert chance_of(task, agent, disabling) == pytest.approx(disables, abs=0.2)
    assert agent.convergence is not None
    assert agent.convergence.regret < 0.2
    assert agent.convergence.visited == 1


@pytest.mark.slow
@pytest.mark.parametrize("method", DEEP)
def test_the_seed_decides_everything_and_global_luck_is_left_alone(torch: Any, method: str) -> None:
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002
    threads = torch.get_num_threads()
    first = trained(f"{method}:1500", seed=1).table
    after = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002
    assert before == after
    assert torch.get_num_threads() == threads
    random.seed(6)
    torch.manual_seed(6)
    assert (trained(f"{method}:1500", seed=1).table == first).all()
    if method != "dqn":  # whose greedy tables may agree by chance
        assert (trained(f"{method}:1500", seed=2).table != first).any()


@pytest.mark.slow
def test_a_positive_factor_on_the_reward_changes_nothing_and_no_folder_is_left(
    torch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert (trained("a2c:800").table == trained("a2c:800", worth=1024.0).table).all()
    assert not list(tmp_path.glob("SB3*"))


@pytest.mark.slow
def test_being_watched_changes_nothing_that_it_learns(torch: Any) -> None:
    """The luck of two trainings would pass for a difference that watching makes."""
    tasks = [
        task_in(Star(condition=Condition(observed=observed)), seed=3) for observed in (True, False)
    ]
    assert not set(tasks[0].compiled.observations) & set(tasks[1].compiled.observations)
    played = []
    for task in tasks:
        agent = parse_agent("ppo:400")(task)
        assert isinstance(agent, TabularAgent)
        played.append(agent.policy(task.compiled.mdp))
    assert (played[0] == played[1]).all()


@pytest.mark.slow
def test_the_regret_is_that_of_the_policy_that_is_played(torch: Any) -> None:
    """Barely trained PPO is nearly uniform: its greedy table would look far better or worse."""
    agent = trained("ppo:100")
    assert agent.convergence is not None
    assert not agent.convergence.converged
    assert agent.table.min() > 0.05
    assert agent.table.sum(axis=1) == pytest.approx(np.ones(len(agent.table)))
    task = task_in(ToyCorridor(press=0.5, discount=0.9))
    own, best = episode_return(agent, task.reward), 0.81  # gamma^2: disable, then two steps
    assert agent.convergence.regret == pytest.approx((best - own) / best)


@pytest.mark.slow
def test_dqn_plays_greedily_and_the_others_by_chance(torch: Any) -> None:
    assert set(np.unique(trained("dqn:300").table)) == {0.0, 1.0}
    assert trained("a2c:300").table.min() > 0


def test_each_is_listed_parsed_and_checked_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    for method, recipe in DEEP.items():
        assert method in agent_names()
        assert parse_agent(method).name == method
        assert parse_agent(f"{method}:2500").name == f"{method}:2500"
        assert DeepLearner(method).training == recipe.steps
    for spec, message in (
        ("ppo:many", "STEPS is 'many', expected a whole number, as in 'ppo:50000'"),
        ("ppo:", "STEPS is '', expected a whole number"),
        ("dqn:0", "got 0 steps, expected at least 1"),
    ):
        with pytest.raises(AgentError, match=message):
            parse_agent(spec)
    with pytest.raises(AgentError, match="Did you mean 'ppo'"):
        DeepLearner("pp0")


def test_the_missing_extra_is_answered_with_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AgentError, match=r"pip install 'offswitch\[deep\]'"):
        parse_agent("ppo")
