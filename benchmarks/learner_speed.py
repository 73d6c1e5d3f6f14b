"""Training steps per second: the compiled learners against a plain Gymnasium loop, in one run.

The loop is what a user writes: `gymnasium.make`, a dictionary of numpy rows, epsilon-greedy,
Q-learning. It runs in the same world as the kernels, and in Gymnasium's own CliffWalking to show
what a lean environment in Python costs. One core. Run: python benchmarks/learner_speed.py
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from offswitch.agents.agent import AgentMaker, Task
from offswitch.agents.monte_carlo import MonteCarlo
from offswitch.agents.q_learning import QLearning
from offswitch.agents.sarsa import Sarsa
from offswitch.agents.training import Training
from offswitch.worlds.compiled import branch_rewards, compile_world, expected_rewards
from offswitch.worlds.registry import make_world

KERNEL_STEPS = 10_000_000
LOOP_STEPS = 30_000
REPEATS = 3
EPSILON, RATE, DISCOUNT = 0.1, 0.1, 0.99
WORLDS = {
    "offswitch/OffSwitch-v1": "off-switch-v1",
    "offswitch/CoffeeCorridor-v1": "coffee-corridor-v1",
}


def task_in(world_id: str) -> Task:
    compiled = compile_world(make_world(world_id))
    goal = compiled.world.goal()
    return Task(
        compiled=compiled,
        goal=goal,
        reward=expected_rewards(compiled, goal),
        branch_reward=branch_rewards(compiled, goal),
        seed=0,
    )


def seconds(run: Callable[[], object]) -> float:
    """The shortest of a few runs, after one that compiles."""
    run()
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return min(times)


def plain_loop(env: gymnasium.Env[Any, Any], steps: int) -> dict[Any, NDArray[np.float64]]:
    """Q-learning as in Gymnasium's tutorial for tabular worlds."""
    n_actions = int(env.action_space.n)  # type: ignore[attr-defined]
    values: dict[Any, NDArray[np.float64]] = defaultdict(lambda: np.zeros(n_actions))
    random = np.random.default_rng(0)
    observation, _ = env.reset(seed=0)
    seen = key_of(observation)
    for _ in range(steps):
        explore = random.random() < EPSILON
        action = int(random.integers(n_actions) if explore else np.argmax(values[seen]))
        observation, reward, terminated, truncated, _ = env.step(action)
        following = key_of(observation)
        ahead = 0.0 if terminated else float(np.max(values[following]))
        values[seen][action] += RATE * (float(reward) + DISCOUNT * ahead - values[seen][action])
        seen = following
        if terminated or truncated:
            observation, _ = env.reset()
            seen = key_of(observation)
    return values


def key_of(observation: Any) -> Any:
    return tuple(observation.tolist()) if isinstance(observation, np.ndarray) else observation


def main() -> None:
    table = Table(title=f"Steps per second, one core, best of {REPEATS}")
    for heading in ("world", "learner", "million steps/s", "x plain loop"):
        table.add_column(heading, justify="left" if heading in ("world", "learner") else "right")
    cliff = gymnasium.make("CliffWalking-v1", max_episode_steps=100)
    rate = LOOP_STEPS / seconds(lambda: plain_loop(cliff, LOOP_STEPS))
    table.add_row("CliffWalking-v1", "plain loop", f"{rate / 1e6:.4f}", "")
    for env_id, world_id in WORLDS.items():
        env, task = gymnasium.make(env_id), task_in(world_id)
        base = LOOP_STEPS / seconds(lambda env=env: plain_loop(env, LOOP_STEPS))
        table.add_row(world_id, "plain loop", f"{base / 1e6:.4f}", "1")
        many = Training(steps=KERNEL_STEPS)
        makers: tuple[AgentMaker, ...] = (QLearning(many), Sarsa(many), MonteCarlo(many))
        for maker in makers:
            seeds = itertools.count()  # equal lessons are remembered: every run gets its own
            rate = KERNEL_STEPS / seconds(
                lambda maker=maker, task=task, seeds=seeds: maker(
                    dataclasses.replace(task, seed=next(seeds))
                )
            )
            table.add_row(world_id, maker.name, f"{rate / 1e6:.1f}", f"{rate / base:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
