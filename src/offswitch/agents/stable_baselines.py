"""Models saved by Stable-Baselines3: PPO and A2C by their stochastic policy, DQN greedily.

What a saved model does depends on the observation alone, so its action probabilities are read out
once and it is evaluated exactly. Loading a file runs what is pickled in it: that happens in the
agent's own process, which is for time limits and crashes and no jail.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import PolicyAgent, Task
from offswitch.agents.process import KnownPolicyAgent, ProcessAgent
from offswitch.agents.saved_algorithm import algorithm_of
from offswitch.agents.task_view import TaskView, task_view
from offswitch.errors import AgentError

__all__ = ["StableBaselinesMaker"]

PACKAGE = "stable_baselines3"
MOST_OBSERVATIONS = 50_000
"""Up to so many, all that a world can show are read out at once, whatever the condition."""
TABLES_KEPT = 32


@dataclass(frozen=True)
class StableBaselinesMaker:
    """Makes agents of a model that PPO, A2C or DQN of Stable-Baselines3 saved.

    The model is not trained again: one file serves every task with the same observations and
    actions.
    """

    path: Path
    """The .zip that `model.save` wrote."""
    act_seconds: float = 5.0
    """Seconds one `reset` or `act` may take."""
    start_seconds: float = 60.0
    """Seconds that importing torch and loading the model may take."""

    def __post_init__(self) -> None:
        """Refuse a file that cannot be a saved model, before anything starts.

        Raises:
            AgentError: stable-baselines3 is not installed, or the file is missing or another's.
        """
        if importlib.util.find_spec(PACKAGE) is None:
            raise AgentError(
                f"agent {self.name!r} needs stable-baselines3, which is not installed. Run: "
                "pip install 'offswitch[deep]'"
            )
        algorithm_of(self.path)

    @property
    def name(self) -> str:
        """As typed on the command line."""
        return f"sb3:{self.path}"

    def __call__(self, task: Task) -> PolicyAgent:
        """The agent for `task`. About 3 s for a new file or world, then from memory.

        Raises:
            AgentFailure: the model's process died or gave no answer in time.
            AgentError: the file is no such model, or was trained for other observations or actions.
        """
        compiled = task.compiled
        view = task_view(task)
        whole = math.prod(view.observation_sizes) <= MOST_OBSERVATIONS
        known = _probabilities(
            _Reading(
                spec=self.name,
                version=self._version(),
                observation_sizes=view.observation_sizes,
                actions=view.actions,
                observations=None if whole else compiled.observations,
                start_seconds=self.start_seconds,
                view=view,
            )
        )
        rows = np.array([known[observation] for observation in compiled.observations])
        process = ProcessAgent(
            self.name, view, act_seconds=self.act_seconds, start_seconds=self.start_seconds
        )
        return KnownPolicyAgent(process, compiled.mdp, rows[compiled.observation_of])

    def _version(self) -> tuple[int, int]:
        try:
            status = self.path.stat()
        except OSError as error:
            raise AgentError(f"agent {self.name!r}: {error}") from None
        return status.st_mtime_ns, status.st_size


@dataclass(frozen=True)
class _Reading:
    """All that the probabilities read out of a model depend on."""

    spec: str
    version: tuple[int, int]
    """When the file was written, in nanoseconds, and its size in bytes."""
    observation_sizes: tuple[int, ...]
    actions: tuple[str, ...]
    observations: tuple[tuple[int, ...], ...] | None
    """Those to read; None for all there can be."""
    start_seconds: float
    view: TaskView = field(compare=False)
    """Any task with these observations and actions."""


@functools.lru_cache(maxsize=TABLES_KEPT)
def _probabilities(reading: _Reading) -> Mapping[tuple[int, ...], NDArray[np.float64]]:
    """Observation -> [A] the model's action probabilities; starts a process and ends it."""
    seen = reading.observations
    if seen is None:
        seen = tuple(itertools.product(*map(range, reading.observation_sizes)))
    process = ProcessAgent(reading.spec, reading.view, start_seconds=reading.start_seconds)
    try:
        process.start()
        return dict(zip(seen, process.probabilities(seen), strict=True))
    finally:
        process.close()
