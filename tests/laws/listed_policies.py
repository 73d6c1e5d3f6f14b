"""Small random processes and what each of their deterministic policies comes to, one by one.

Linear algebra on dense arrays; nothing is taken from the package but the process handed to it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from offswitch.mdp.model import FiniteMDP


@dataclass(frozen=True)
class Listed:
    dense: np.ndarray
    """[S, A, S] transition probabilities; rows of unavailable actions are 0."""

    @property
    def mdp(self) -> FiniteMDP:
        rows = [
            (s, a, to, float(chance)) for (s, a, to), chance in np.ndenumerate(self.dense) if chance
        ]
        S, A, _ = self.dense.shape
        return FiniteMDP.from_coo(S, A, rows)

    @property
    def available(self) -> np.ndarray:
        return self.dense.any(axis=2)

    def policies(self) -> list[tuple[int, ...]]:
        return list(itertools.product(*(np.flatnonzero(row).tolist() for row in self.available)))

    def chains(self) -> np.ndarray:
        """[N, S, S] the chain of each policy."""
        return np.array([self.dense[range(len(self.dense)), policy] for policy in self.policies()])

    def visits(self, discount: float) -> np.ndarray:
        """[N, S, S] expected discounted visits of each policy, from each state to each state."""
        chains = self.chains()
        return np.linalg.inv(np.eye(len(self.dense)) - discount * chains)

    def shares(self) -> np.ndarray:
        """[N, S, S] the share of time each policy spends where, in the long run.

        The mean of the first 2^50 powers of its chain, doubled up.
        """
        ahead = self.chains()
        mean = np.broadcast_to(np.eye(len(self.dense)), ahead.shape)
        for _ in range(50):
            mean, ahead = (mean + ahead @ mean) / 2, ahead @ ahead
            ahead = ahead / ahead.sum(axis=2, keepdims=True)
        return mean

    def action_values(self, reward: np.ndarray, discount: float) -> np.ndarray:
        """[S, A] the best return after each action, of the best of all policies; NaN if barred."""
        value = (self.visits(discount) @ reward).max(axis=0)
        ahead = reward[:, None] + discount * self.dense @ value
        return np.where(self.available, ahead, np.nan)


def random_listed(seed: int, states: int = 4, actions: int = 2, *, chance: bool = True) -> Listed:
    """Rows in eighths, many of them certain; now and then an action is not available."""
    generator = np.random.default_rng(seed)
    dense = np.zeros((states, actions, states))
    for s, a in itertools.product(range(states), range(actions)):
        if a and generator.random() < 1 / 6:
            continue
        draws = int(generator.choice([1, 1, 2, 8])) if chance else 1
        np.add.at(dense[s, a], generator.integers(states, size=draws), 1 / draws)
    return Listed(dense)
