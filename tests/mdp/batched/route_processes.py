"""Deterministic processes of every kind that a route can take, and rewards for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.plan import SolverPlan
from offswitch.mdp.model import FiniteMDP

ROUTES = ("any", "acyclic", "stay", "no stay", "one long cycle", "periodic", "ragged", "single")
LAWS = ("uniform", "negative", "sparse", "shifted", "large", "zero")


def route_process(kind: str, seed: int, n_states: int = 9, n_actions: int = 3) -> FiniteMDP:
    """Every state has an action; duplicates of actions are frequent."""
    generator = np.random.default_rng([ROUTES.index(kind), seed])
    rows = []
    for state in range(n_states):
        degree = 1 if kind == "single" else n_actions
        if kind == "ragged":
            degree = int(generator.integers(1, n_actions + 1))
        for action in generator.choice(n_actions, size=degree, replace=False):
            rows.append((state, int(action), _target(kind, state, n_states, generator), 1.0))
    return FiniteMDP.from_coo(n_states, n_actions, rows)


def _target(kind: str, state: int, n_states: int, generator: np.random.Generator) -> int:
    if kind == "acyclic":
        return int(generator.integers(min(state + 1, n_states - 1), n_states))
    if kind == "stay":
        return state if generator.random() < 0.5 else int(generator.integers(n_states))
    if kind == "no stay":
        return int((state + generator.integers(1, n_states)) % n_states)
    if kind == "one long cycle":
        return (state + 1) % n_states
    if kind == "periodic":
        # Three classes, visited in turn.
        return int(generator.choice(np.arange((state + 1) % 3, n_states, 3)))
    return int(generator.integers(n_states))


def block_rewards(plan: SolverPlan, law: str, seed: int) -> NDArray:
    """[S, 64] in the plan's order and precision."""
    generator = np.random.default_rng([LAWS.index(law), seed])
    drawn = generator.random((plan.n_states, 64))
    rewards = {
        "uniform": drawn,
        "negative": -3 * drawn,
        "sparse": (drawn < 0.15) * 1.0,
        "shifted": 10 + drawn,
        "large": 1e6 * (drawn - 0.5),
        "zero": 0 * drawn,
    }[law]
    return np.ascontiguousarray(rewards[plan.order].astype(plan.dtype))


def in_original_order(plan: SolverPlan, rows: NDArray) -> NDArray:
    """[64, S] float64, as `mdp.solve` takes goals."""
    return np.ascontiguousarray(rows[plan.structure.position].T.astype(np.float64))


def grid(size: int, *, stay: bool = True) -> FiniteMDP:
    """Four moves, walls reflect; optionally a fifth action that stays."""
    rows = []
    for y in range(size):
        for x in range(size):
            steps = [(0, -1), (0, 1), (-1, 0), (1, 0)] + [(0, 0)] * stay
            for action, (dx, dy) in enumerate(steps):
                to_x, to_y = np.clip([x + dx, y + dy], 0, size - 1)
                rows.append((y * size + x, action, to_y * size + to_x, 1.0))
    return FiniteMDP.from_coo(size * size, 4 + stay, rows)
