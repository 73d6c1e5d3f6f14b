"""Small random processes of every kind that has broken a solver before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.model import FiniteMDP

KINDS = ("deterministic", "dag", "sparse", "dense", "periodic", "multichain", "masked")


def random_process(kind: str, seed: int, n_states: int = 5, n_actions: int = 3) -> FiniteMDP:
    """A process of the given kind; every state has an action, and start is random."""
    generator = np.random.default_rng([KINDS.index(kind), seed])
    dense = np.zeros((n_states, n_actions, n_states))
    for state in range(n_states):
        for action in range(n_actions):
            targets = _targets(kind, state, n_states, generator)
            weights = generator.dirichlet(np.ones(len(targets)))
            np.add.at(dense[state, action], targets, weights)
    if kind == "masked":
        for state in range(n_states):
            kept = generator.integers(n_actions)
            drop = generator.random(n_actions) < 0.5
            drop[kept] = False
            dense[state, drop] = 0
    return FiniteMDP.from_dense(dense, start=generator.dirichlet(np.ones(n_states)))


def _targets(
    kind: str, state: int, n_states: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    last = n_states - 1
    if kind == "deterministic":
        return generator.integers(n_states, size=1)
    if kind == "dag":
        return generator.integers(min(state + 1, last), n_states, size=2)
    if kind == "dense":
        return np.arange(n_states)
    if kind == "periodic":
        # Even states lead to odd ones and back, with certainty.
        return generator.choice(np.arange(1 - state % 2, n_states, 2), size=2)
    if kind == "multichain":
        half = n_states // 2
        low, high = (0, half) if state < half else (half, n_states)
        return generator.integers(low, high, size=2)
    return generator.integers(n_states, size=2)


def random_reward(
    mdp: FiniteMDP, shape: str, seed: int, *, low: float = -1.0, n_goals: int = 2
) -> NDArray[np.float64]:
    """[K, S, A] or, for shape 'state', [K, S] rewards in [low, low + 2), a third of them 0."""
    generator = np.random.default_rng([99, seed])
    size = (n_goals, mdp.n_states, mdp.n_actions)[: 2 if shape == "state" else 3]
    return (low + 2 * generator.random(size)) * (generator.random(size) > 1 / 3)
