"""Environment steps per second: our vectorised world against Stable-Baselines3's own way.

Its own way is `DummyVecEnv` over `WorldEnv`, one Python step after the other. Both are given the
same seeds and the same random actions, and both must come to the same rewards. Then both train PPO
for the same number of steps with the same settings, which says how much of it a user would notice.
One thread. Run: python benchmarks/vector_env.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from offswitch.agents.agent import Task
from offswitch.agents.deep import DEEP
from offswitch.agents.vector_env import TableVecEnv
from offswitch.audit.cell import make_task
from offswitch.worlds.environment import WorldEnv
from offswitch.worlds.registry import make_world

WORLDS = ("coffee-corridor-v1", "off-switch-v1", "cloud-compute-v1")
COPIES = (16, 256)
STEPS = {"table": 100_000, "dummy": 20_000}
CHECKED = 50
TRAINED = 16_384


def theirs(task: Task, copies: int) -> Any:  # Any: SB3 is untyped for mypy here
    return DummyVecEnv([lambda: WorldEnv(task.compiled.world, task.goal)] * copies)


def stepped(env: Any, steps: int, n_actions: int) -> float:
    """Seconds for `steps` environment steps with random actions."""
    actions = np.random.default_rng(0).integers(n_actions, size=(64, env.num_envs))
    env.seed(0)
    env.reset()
    env.step(actions[0])
    begun = time.perf_counter()
    for step in range(steps // env.num_envs):
        env.step(actions[step % 64])
    return time.perf_counter() - begun


def check_same(task: Task) -> None:
    """Both ways give the same rewards for the same seeds and actions."""
    ours, plain = TableVecEnv(task, 16), theirs(task, 16)
    actions = np.random.default_rng(1).integers(task.compiled.mdp.n_actions, size=(CHECKED, 16))
    for env in (ours, plain):
        env.seed(3)
        env.reset()
    for row in actions:
        if not (ours.step(row)[1] == plain.step(row)[1]).all():
            raise SystemExit(f"{task.compiled.world.id}: the two ways give different rewards")


def trained(make: Callable[[Task, int], Any], task: Task) -> float:
    """Seconds for PPO to train."""
    model = PPO("MlpPolicy", make(task, 16), seed=0, device="cpu", **DEEP["ppo"].settings)
    begun = time.perf_counter()
    model.learn(TRAINED)
    return time.perf_counter() - begun


def main() -> None:
    torch.set_num_threads(1)
    table = Table(title="Environment steps per second, one thread")
    for heading in ("world", "what", "DummyVecEnv", "ours", "ratio"):
        table.add_column(heading, justify="left" if heading in ("world", "what") else "right")
    for world_id in WORLDS:
        world = make_world(world_id)
        task = make_task(world, world.goal(), 0)
        check_same(task)
        for copies in COPIES:
            n_actions = task.compiled.mdp.n_actions
            plain = STEPS["dummy"] / stepped(theirs(task, copies), STEPS["dummy"], n_actions)
            ours = STEPS["table"] / stepped(TableVecEnv(task, copies), STEPS["table"], n_actions)
            row = (f"{plain:,.0f}", f"{ours:,.0f}", f"{ours / plain:.0f}")
            table.add_row(world_id, f"random acts, {copies} copies", *row)
        plain, ours = (TRAINED / trained(make, task) for make in (theirs, TableVecEnv))
        row = (f"{plain:,.0f}", f"{ours:,.0f}", f"{ours / plain:.1f}")
        table.add_row(world_id, "PPO, 16 copies", *row)
    Console().print(table)


if __name__ == "__main__":
    main()
