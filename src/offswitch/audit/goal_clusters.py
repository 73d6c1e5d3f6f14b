"""Goals that ask for the same acts, counted once together.

A family in which one goal stands ten times under ten names is no better evidence of convergence
than one in which it stands once; nor are goals in another unit of reward new goals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Task
from offswitch.agents.optimal import Optimal
from offswitch.mdp.model import FiniteMDP

__all__ = ["goal_clusters", "reached_states"]


def goal_clusters(tasks: Sequence[Sequence[Task]]) -> tuple[str, ...]:
    """The cluster of each goal, named after its first goal; `tasks[k]` are goal k's in every cell.

    Two goals share a cluster where the optimal agent does the same in every state that it reaches
    with them, in all of the cells. Ties go to the lowest action, as everywhere, so a positive
    affine change of a goal's reward leaves it where it is. One exact solve per task.
    """
    first: dict[bytes, str] = {}
    return tuple(first.setdefault(_deeds(mine), mine[0].goal.name) for mine in tasks)


def _deeds(tasks: Sequence[Task]) -> bytes:
    total = hashlib.sha256()
    for task in tasks:
        mdp = task.compiled.mdp
        policy = Optimal()(task).policy(mdp)
        states = np.flatnonzero(reached_states(mdp, policy))
        total.update(states.tobytes())
        total.update(np.argmax(policy[states], axis=1).tobytes())
    return total.digest()


def reached_states(mdp: FiniteMDP, policy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[S] the states that `policy` [S, A] visits with positive probability from the start.

    O(S x transitions) at worst.
    """
    taken = (policy > 0).ravel()
    moves = mdp.matrix.multiply(taken[:, None]).tocsr()
    reached = mdp.start > 0
    frontier = np.flatnonzero(reached)
    n_actions = mdp.n_actions
    while len(frontier):
        rows = (frontier[:, None] * n_actions + np.arange(n_actions)).ravel()
        found = np.unique(moves[rows].nonzero()[1])
        frontier = found[~reached[found]]
        reached = reached.copy()
        reached[frontier] = True
    return np.asarray(reached, dtype=np.bool_)
