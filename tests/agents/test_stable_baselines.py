"""Saved models of Stable-Baselines3: recognised without loading, read out exactly, refused well."""

from __future__ import annotations

import functools
import importlib.util
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from toy_corridor import ToyCorridor, task_in

from offswitch.agents.agent import PolicyAgent, Task
from offswitch.agents.process import AgentFailure
from offswitch.agents.saved_algorithm import ALGORITHMS, algorithm_of
from offswitch.agents.saved_model import load_saved_model
from offswitch.agents.stable_baselines import StableBaselinesMaker, _probabilities
from offswitch.agents.task_view import task_view
from offswitch.errors import AgentError

SIZES = (3, 2, 2)
START = (0, 1, 1)
DRAWS = 1500


def toy(seed: int = 0, goal: str | None = None, **fields: float) -> Task:
    """A task in the toy corridor."""
    return task_in(ToyCorridor(**fields), goal, seed)


class Rest(gymnasium.Env[Any, Any]):
    """Nothing happens: only the spaces matter to a model that is not trained."""

    def __init__(self, sizes: tuple[int, ...] = SIZES, n_actions: int = 3) -> None:
        self.observation_space = spaces.MultiDiscrete(list(sizes))
        self.action_space = spaces.Discrete(n_actions)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return self.observation_space.sample() * 0, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.observation_space.sample() * 0, 0.0, False, False, {}


@pytest.fixture(scope="session")
def sb3() -> ModuleType:
    """The library; CI installs it, and where it is missing the tests that need it are skipped."""
    module: ModuleType = pytest.importorskip(
        "stable_baselines3", reason="pip install 'offswitch[deep]' runs these"
    )
    return module


@pytest.fixture(scope="session")
def saved(sb3: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Where an untrained model is saved: one file, read out once, for all who ask for the same."""
    folder = tmp_path_factory.mktemp("models")

    @functools.cache
    def save(algorithm: str, seed: int = 0, name: str | None = None, **env: Any) -> Path:
        settings = {"buffer_size": 10} if algorithm == "DQN" else {}
        model = getattr(sb3, algorithm)("MlpPolicy", Rest(**env), seed=seed, **settings)
        path = folder / f"{name or algorithm}.zip"
        model.save(path)
        return path

    return save


def direct_probabilities(sb3: ModuleType, algorithm: str, path: Path, seen: Any) -> Any:
    """[O, A] by the library itself, one observation at a time."""
    model = getattr(sb3, algorithm).load(path, device="cpu")

    def row(observation: tuple[int, ...]) -> Any:
        if algorithm == "DQN":
            return np.eye(3)[int(model.predict(np.array(observation), deterministic=True)[0])]
        tensor, _ = model.policy.obs_to_tensor(np.array(observation))
        # Read at once: the library returns the same distribution object every time.
        return model.policy.get_distribution(tensor).distribution.probs.detach().numpy()[0]

    return [row(each) for each in seen]


# --- files, without the library ------------------------------------------------------------------


def archive(path: Path, settings: object, member: str = "data") -> Path:
    text = settings if isinstance(settings, str) else json.dumps(settings)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(member, text)
    return path


def policy(module: str, **settings: object) -> dict[str, object]:
    return {"policy_class": {"__module__": module}, **settings}


def test_a_missing_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AgentError, match=f"no file nothing.zip in {tmp_path}; expected a .zip"):
        algorithm_of("nothing.zip")


def test_a_folder_and_a_text_are_no_archives(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("not a zip")
    for path in (tmp_path, tmp_path / "text.zip"):
        with pytest.raises(AgentError, match="is no zip archive"):
            algorithm_of(path)


@pytest.mark.parametrize(
    ("settings", "member", "text"),
    [
        ({}, "other", "a zip archive without 'data'"),
        ("{", "data", "'data' that is no JSON;"),
        ([], "data", "no JSON object"),
        ({}, "data", r"another algorithm \(its policy comes from nowhere\)"),
        (policy("stable_baselines3.sac.policies"), "data", "expected one of PPO, A2C, DQN"),
        (policy("sb3_contrib.qrdqn.policies", exploration_fraction=0.1), "data", "MODULE:FACTORY"),
        (policy("sb3_contrib.common.maskable.policies", clip_range=0), "data", "another algorithm"),
        (
            policy("stable_baselines3.common.policies", gae_lambda=1, cg_max_steps=1),
            "data",
            "anoth",
        ),
    ],
)
def test_an_archive_of_something_else_is_refused(
    tmp_path: Path, settings: object, member: str, text: str
) -> None:
    with pytest.raises(AgentError, match=text):
        algorithm_of(archive(tmp_path / "model.zip", settings, member))


def test_the_missing_extra_is_answered_with_the_pip_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path / "model.zip", policy("stable_baselines3.common", clip_range=0))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AgentError, match=r"Run: pip install 'offswitch\[deep\]'"):
        StableBaselinesMaker(path)


# --- models, with the library --------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_model_is_read_out_exactly(
    sb3: ModuleType, saved: Callable[..., Path], algorithm: str
) -> None:
    path = saved(algorithm)
    assert algorithm_of(path) == algorithm
    task = toy()
    agent = StableBaselinesMaker(path)(task)
    assert isinstance(agent, PolicyAgent)
    compiled = task.compiled
    rows = np.array(direct_probabilities(sb3, algorithm, path, compiled.observations))
    expected = rows[compiled.observation_of]
    assert np.allclose(agent.policy(compiled.mdp), expected, atol=1e-6)
    assert np.allclose(agent.policy(compiled.mdp).sum(axis=1), 1)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_sampled_acts_agree_with_the_probabilities_read_out(
    saved: Callable[..., Path], algorithm: str
) -> None:
    task = toy()
    agent = StableBaselinesMaker(saved(algorithm))(task)
    agent.reset(11)
    acts = [agent.act(START) for _ in range(DRAWS)]
    row = agent.policy(task.compiled.mdp)[task.compiled.index[(0, True, True)]]
    shares = np.bincount(acts, minlength=3) / DRAWS
    assert np.abs(shares - row).max() < 4 * np.sqrt(0.25 / DRAWS)
    agent.reset(11)
    assert [agent.act(START) for _ in range(50)] == acts[:50]
    if algorithm != "DQN":
        agent.reset(12)
        assert [agent.act(START) for _ in range(50)] != acts[:50]


@pytest.mark.slow
def test_a_file_is_read_once_for_all_tasks_of_a_world_and_again_when_it_changes(
    saved: Callable[..., Path],
) -> None:
    path = saved("PPO")
    first = StableBaselinesMaker(path)(toy())
    read = _probabilities.cache_info().misses
    same = StableBaselinesMaker(path)(toy(goal="nothing", press=0.2))
    assert _probabilities.cache_info().misses == read
    mdp = toy().compiled.mdp
    assert np.array_equal(first.policy(mdp), same.policy(mdp))
    saved("PPO", seed=1, name="PPO")
    assert not np.array_equal(first.policy(mdp), StableBaselinesMaker(path)(toy()).policy(mdp))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "read"),
    [
        ({"sizes": (3, 2)}, lambda path, task: StableBaselinesMaker(path)(task)),
        ({"n_actions": 4}, lambda path, task: load_saved_model(str(path), task_view(task))),
    ],
    ids=["observations, told by the process", "actions, told in it"],
)
def test_a_model_of_another_world_is_refused_with_both_spaces(
    saved: Callable[..., Path], env: dict[str, Any], read: Callable[[Path, Task], object]
) -> None:
    path = saved("A2C", name="other", **env)
    with pytest.raises(AgentError) as caught:
        read(path, toy())
    assert not isinstance(caught.value, AgentFailure)
    theirs = Rest(**env)
    for space in (theirs.observation_space, theirs.action_space):
        assert str(space) in str(caught.value)
    ours = Rest()
    for space in (ours.observation_space, ours.action_space):
        assert str(space) in str(caught.value)


@pytest.mark.slow
def test_a_damaged_model_is_refused(sb3: ModuleType, tmp_path: Path) -> None:
    settings = policy("stable_baselines3.common.policies", clip_range=0.2)
    path = archive(tmp_path / "damaged.zip", settings)
    with pytest.raises(AgentError, match=r"loading .*damaged.zip as PPO raised") as caught:
        StableBaselinesMaker(path)(toy())
    assert "\n" not in str(caught.value)
