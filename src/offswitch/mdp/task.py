"""The checked arguments of a discounted problem, in the form the compiled kernels take."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from offswitch.mdp.allowed import allowed_actions
from offswitch.mdp.discount import checked_discount
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.reward import checked_reward

__all__ = ["Task", "checked_task", "task_matrix"]


class Task(NamedTuple):
    """Transitions, rewards, discount and mask. S states, A actions, K goals."""

    row_start: NDArray[np.int64]
    """[S * A + 1] as in `FiniteMDP`."""
    next_state: NDArray[np.int64]
    """[transitions]."""
    probability: NDArray[np.float64]
    """[transitions] in (0, 1]."""
    allowed: NDArray[np.bool_]
    """[S, A] actions that may be taken; one at least in every state."""
    reward: NDArray[np.float64]
    """[K, S, 1] where it depends on the state alone, else [K, S, A]."""
    discount: float
    """In (0, 1)."""


def checked_task(
    mdp: FiniteMDP, reward: ArrayLike, discount: float, allowed: ArrayLike | None
) -> Task:
    """The task of maximising each reward on `mdp` with the `allowed [S, A]` actions.

    Raises:
        ModelError: reward, discount or mask is malformed.
    """
    return Task(
        row_start=mdp.row_start,
        next_state=mdp.next_state,
        probability=mdp.probability,
        allowed=allowed_actions(mdp, allowed),
        reward=checked_reward(mdp, reward),
        discount=checked_discount(discount),
    )


def task_matrix(task: Task) -> sp.csr_array[Any, Any]:
    """[S * A, S] the transitions as a scipy sparse array (shares memory)."""
    shape = (len(task.row_start) - 1, len(task.allowed))
    return sp.csr_array((task.probability, task.next_state, task.row_start), shape=shape)
