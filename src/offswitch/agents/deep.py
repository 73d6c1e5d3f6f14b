"""PPO, A2C and DQN of Stable-Baselines3, trained on every task of an audit.

They train in the enumerated world itself (`vector_env`), on one thread; what comes out is a table
over observations, read out of the network once and evaluated exactly.
"""

from __future__ import annotations

import contextlib
import importlib.util
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.agents.learned import Learned, learned_agent
from offswitch.agents.tabular import TabularAgent
from offswitch.errors import AgentError, nearest_name
from offswitch.worlds.compiled import compiled_world

__all__ = ["DEEP", "DeepLearner", "Recipe"]

COPIES = 16
"""Of the world, stepped together."""
EXPLORING = 0.5
"""Share of the training episodes that begin in any state, as for the learners with tables: without
them PPO gives up the far goals of the corridor and idles."""
LATE = 0.8
"""Share of training after which the policy is marked, to see what still changes."""
SEEDS = 2**31 - 1
"""Stable-Baselines3 takes seeds that fit into 32 bits; we keep clear of their sign."""


class Recipe(NamedTuple):
    """How one algorithm is trained. What is not named is Stable-Baselines3's default."""

    description: str
    steps: int
    """Environment steps, over all copies, unless others are asked for."""
    settings: dict[str, Any]  # Any: keyword arguments of the algorithm


DEEP: dict[str, Recipe] = {
    "ppo": Recipe(
        "learns by PPO with a neural network (extra deep); ppo:STEPS sets how long",
        100_000,
        {"n_steps": 64, "batch_size": 256, "learning_rate": 1e-3, "ent_coef": 0.01},
    ),
    "a2c": Recipe(
        "learns by A2C with a neural network (extra deep); a2c:STEPS sets how long",
        100_000,
        {"n_steps": 8, "ent_coef": 0.01},
    ),
    "dqn": Recipe(
        "learns by DQN with a neural network (extra deep); dqn:STEPS sets how long",
        100_000,
        {
            "buffer_size": 50_000, "learning_starts": 1000, "learning_rate": 1e-3,
            "batch_size": 64, "train_freq": 1, "gradient_steps": 2, "exploration_fraction": 0.5,
            "target_update_interval": 1000,
        },
    ),
}  # fmt: skip
"""Name -> how it is trained."""


@dataclass(frozen=True)
class DeepLearner:
    """Trains a network for each task; PPO and A2C play its stochastic policy, DQN its greedy one.

    Rewards are divided by the goal's largest, so that a positive factor on them changes nothing. It
    trains as if it were watched, whether or not it is: nothing it learns from depends on that, and
    two trainings would differ by their luck, which would pass for a difference that watching makes.
    """

    method: str
    """One of `DEEP`."""
    steps: int | None = None
    """Environment steps; None takes the recipe's."""

    def __post_init__(self) -> None:
        """Refuse what cannot be trained, before anything starts.

        Raises:
            AgentError: unknown method, too few steps, or Stable-Baselines3 is not installed.
        """
        if self.method not in DEEP:
            raise AgentError(
                nearest_name(self.method, DEEP, kind="method", lister="offswitch list agents")
            )
        if self.steps is not None and self.steps < 1:
            raise AgentError(f"agent {self.name!r}: got {self.steps} steps, expected at least 1")
        if importlib.util.find_spec("stable_baselines3") is None:
            raise AgentError(
                f"agent {self.name!r} needs stable-baselines3, which is not installed. Run: "
                "pip install 'offswitch[deep]'"
            )

    @property
    def name(self) -> str:
        """'ppo', or 'ppo:20000'."""
        return self.method if self.steps is None else f"{self.method}:{self.steps}"

    @property
    def training(self) -> int:
        """Environment steps of training; with another seed they give another agent."""
        return DEEP[self.method].steps if self.steps is None else self.steps

    def __call__(self, task: Task) -> TabularAgent:
        """The agent trained on `task` with `task.seed`. Seconds to minutes: O(steps)."""
        watched = _watched(task)
        tables = _trained(self.method, self.training, watched)
        learned = Learned(*(_as_seen(watched, task, rows) for rows in tables))
        agent = TabularAgent(task.compiled, learned.values)
        method: Any = self.method  # Any: the report lists its methods by name
        report = learned_agent(task, method, self.training, learned, acting=agent).convergence
        return TabularAgent(task.compiled, agent.table, convergence=report)


def _watched(task: Task) -> Task:
    """`task` with the agent told that it is watched; itself where that changes its states."""
    world = task.compiled.world
    condition = msgspec.structs.replace(world.condition, observed=True)
    if condition == world.condition:
        return task
    compiled = compiled_world(replace(world, condition=condition))
    return replace(task, compiled=compiled) if compiled.states == task.compiled.states else task


def _as_seen(trained: Task, task: Task, rows: NDArray[Any]) -> NDArray[Any]:  # Any: any number
    """[O, A] the `rows` of `trained`, by what `task` shows in the same states."""
    shown = np.empty((task.compiled.n_observations, rows.shape[1]), dtype=rows.dtype)
    shown[task.compiled.observation_of] = rows[trained.compiled.observation_of]
    return shown


def _trained(method: str, steps: int, task: Task) -> Learned:
    """The policy `[O, A]` after training, the same after four fifths of it, and what was tried."""
    import stable_baselines3
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.logger import Logger

    from offswitch.agents.saved_model import SavedModel
    from offswitch.agents.vector_env import TableVecEnv

    scale = float(np.abs(task.branch_reward).max()) or 1.0
    env = TableVecEnv(
        replace(task, branch_reward=task.branch_reward / scale), COPIES, exploring=EXPLORING
    )

    class Marking(BaseCallback):  # type: ignore[misc]  # SB3 is untyped for mypy here
        """Reads the policy out late in training."""

        earlier: NDArray[np.float64] | None = None

        def _on_step(self) -> bool:
            if self.earlier is None and self.num_timesteps >= LATE * steps:
                self.earlier = _table(SavedModel(self.model, n_actions), task)
            return True

    n_actions, marking = task.compiled.mdp.n_actions, Marking()
    with _own_luck():
        model = getattr(stable_baselines3, method.upper())(
            "MlpPolicy", env, gamma=task.compiled.world.discount, seed=task.seed % SEEDS,
            device="cpu", **DEEP[method].settings,
        )  # fmt: skip
        model.set_logger(Logger(folder=None, output_formats=[]))  # its own leaves a folder in /tmp
        model.learn(steps, callback=marking)
    table = _table(SavedModel(model, n_actions), task)
    return Learned(table, table if marking.earlier is None else marking.earlier, env.visits)


def _table(model: Any, task: Task) -> NDArray[np.float64]:  # Any: a SavedModel, imported late
    """[O, A] the probability of every action, in rows that sum to 1 in double precision."""
    rows: NDArray[np.float64] = model.probability_table(task.compiled.observations)
    model._model.policy.set_training_mode(True)
    table: NDArray[np.float64] = rows / rows.sum(axis=1, keepdims=True)
    return table


@contextlib.contextmanager
def _own_luck() -> Iterator[None]:
    """One thread for torch, and every global generator as it was before.

    Stable-Baselines3 seeds all of them and can be told of no other.
    """
    import torch

    threads, numpys, pythons = torch.get_num_threads(), np.random.get_state(), random.getstate()  # noqa: NPY002
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
        np.random.set_state(numpys)  # noqa: NPY002
        random.setstate(pythons)
