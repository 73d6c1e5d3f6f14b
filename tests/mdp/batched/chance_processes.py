"""Processes of every class the batched solver treats differently, and their exact optima."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.plan import SolverPlan
from offswitch.mdp.model import FiniteMDP

KINDS = (
    "deterministic",
    "dag",
    "sparse",
    "dense",
    "periodic",
    "multichain",
    "absorbing",
    "sticky",
    "nearly apart",
)


def process(kind: str, seed: int = 0, n_states: int = 6, n_actions: int = 3) -> FiniteMDP:
    """A random process of a class; 'nearly apart' is two halves joined with probability 1e-4."""
    generator = np.random.default_rng([KINDS.index(kind), seed])
    dense = np.zeros((n_states, n_actions, n_states))
    for state in range(n_states):
        for action in range(n_actions):
            targets = _targets(kind, state, n_states, generator)
            np.add.at(dense[state, action], targets, generator.dirichlet(np.ones(len(targets))))
    if kind == "sticky":
        dense[:, 0] = np.eye(n_states)
    if kind == "nearly apart":
        other = (np.arange(n_states) + n_states // 2) % n_states
        dense *= 1 - 1e-4
        dense[np.arange(n_states), :, other] += 1e-4
    return FiniteMDP.from_dense(dense)


def _targets(
    kind: str, state: int, n_states: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    last, half = n_states - 1, n_states // 2
    low, high = (0, half) if state < half else (half, n_states)
    match kind:
        case "deterministic":
            return generator.integers(n_states, size=1)
        case "dag":  # staying is no cycle
            return generator.integers(state, n_states, size=2)
        case "dense":
            return np.arange(n_states)
        case "periodic":  # even states lead to odd ones and back, with certainty
            return generator.choice(np.arange(1 - state % 2, n_states, 2), size=2)
        case "multichain" if state == 0:  # a transient state between two parts that never meet
            return np.array([min(1, last), last])
        case "multichain":
            return generator.integers(max(low, 1), high, size=2)
        case "nearly apart":
            return generator.integers(low, high, size=2)
        case "absorbing" if state in (0, last):
            return np.array([state])
    return generator.integers(n_states, size=3)


def internal(plan: SolverPlan, reward: NDArray[np.float64]) -> NDArray[np.floating]:
    """`reward [S, K]` of at most 64 goals as a block: plan's order and precision, repeated."""
    block = lane_rows(plan.n_states, plan.dtype)
    block[:] = reward[plan.order][:, np.arange(LANES) % reward.shape[1]]
    return block


def optimum(
    mdp: FiniteMDP,
    reward: NDArray[np.float64],
    discount: float,
    allowed: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """[S, K] the exact optimum of `reward [S, K]`, by plain policy iteration, to the last digit."""
    shape = mdp.n_states, mdp.n_actions, mdp.n_states
    chances = mdp.matrix.toarray().astype(np.longdouble).reshape(shape)
    gamma = np.longdouble(discount)
    kept = mdp.available if allowed is None else mdp.available & allowed
    found = np.empty_like(reward)
    states = np.arange(mdp.n_states)
    for goal, earned in enumerate(reward.T):
        policy = kept.argmax(axis=1)
        while True:
            chain = chances[states, policy]
            system = np.linalg.inv((np.eye(mdp.n_states) - gamma * chain).astype(np.float64))
            value = np.zeros(mdp.n_states, np.longdouble)
            for _ in range(4):  # refinement in extended precision
                value += system @ (earned + gamma * (chain @ value) - value)
            worth = np.where(kept, chances @ value, -np.inf)
            better = worth.max(axis=1) > worth[states, policy] + 1e-15 * np.abs(value).max()
            if not better.any():
                break
            policy = np.where(better, worth.argmax(axis=1), policy)
        found[:, goal] = value
    return found
