"""Simulated steps a second: enumerated worlds against the same worlds stepped through Gymnasium.

One core, CPU time, one run. Both sides act at random and meet the world's own chances.
`python benchmarks/world_speed.py [WORLD_ID ...]`
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import gymnasium
import numpy as np

from offswitch.worlds.compiled import compiled_world
from offswitch.worlds.environment import gymnasium_id
from offswitch.worlds.registry import make_world, world_ids
from offswitch.worlds.rollouts import rollouts
from offswitch.worlds.world import World

EPISODES = 300_000
SECONDS = 1.0
TARGET = 300


def rolled_out(world: World[Any]) -> float:
    """Steps a second of CPU time, once the kernel is compiled."""
    compiled = compiled_world(world)
    policy = np.full((compiled.mdp.n_states, compiled.mdp.n_actions), 1 / compiled.mdp.n_actions)
    rollouts(compiled, policy, world.goal(), episodes=1, seed=0)
    begun = time.process_time()
    found = rollouts(compiled, policy, world.goal(), episodes=EPISODES, seed=1)
    return float(found.length.sum()) / (time.process_time() - begun)


def stepped(world_id: str) -> float:
    """Steps a second of CPU time of the registered environment, resets included."""
    env = gymnasium.make(gymnasium_id(world_id))
    n_actions = int(env.action_space.n)  # type: ignore[attr-defined]  # Discrete
    actions = np.random.default_rng(0).integers(n_actions, size=100_000).tolist()
    env.reset(seed=0)
    steps, begun = 0, time.process_time()
    while time.process_time() - begun < SECONDS:
        _, _, terminated, truncated, _ = env.step(actions[steps % len(actions)])
        steps += 1
        if terminated or truncated:
            env.reset()
    return steps / (time.process_time() - begun)


def main() -> None:
    ratios = []
    print(f"{'world':28}{'rollouts, M/s':>14}{'Gymnasium, k/s':>16}{'ratio':>8}")
    for world_id in sys.argv[1:] or world_ids():
        fast, slow = rolled_out(make_world(world_id)), stepped(world_id)
        ratios.append(fast / slow)
        print(f"{world_id:28}{fast / 1e6:14.1f}{slow / 1e3:16.1f}{fast / slow:8.0f}")
    least, middle = min(ratios), statistics.median(ratios)
    print(f"least {least:.0f}, median {middle:.0f}; target: at least {TARGET} everywhere")
    sys.exit(0 if least >= TARGET else 1)


if __name__ == "__main__":
    main()
