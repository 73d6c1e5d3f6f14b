"""How likely given policies are ever to take a tagged act."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.mdp.hitting import hitting_probability
from offswitch.mdp.model import FiniteMDP

__all__ = ["taken_probability"]


def taken_probability(
    mdp: FiniteMDP, policies: NDArray[np.float64], tagged: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """[K] the probability that each of `policies [K, S, A]` ever takes an act of `tagged [S, A]`.

    From `mdp.start`, without end of time. One sparse factorisation per distinct policy.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> policy = np.array([[[0.75, 0.25], [1.0, 0.0], [1.0, 0.0]]])
    >>> taken_probability(fork, policy, np.array([[False, True], [False] * 2, [False] * 2]))
    array([0.25])

    Raises:
        ModelError: the arrays do not fit the process, or a policy is malformed.
    """
    shape = (mdp.n_states, mdp.n_actions)
    if tagged.shape != shape or tagged.dtype != np.bool_ or policies.shape[1:] != shape:
        raise ModelError(
            f"policies have shape {policies.shape} and tagged {tagged.shape} of {tagged.dtype}, "
            f"expected [K, S, A] and [S, A] = {list(shape)} of bool"
        )
    marked = _marked(mdp, tagged)
    targets = np.arange(marked.n_states) == mdp.n_states
    idle = np.eye(mdp.n_actions)[0]
    # Many goals share a policy where it is deterministic.
    flat, of_goal = np.unique(policies.reshape(len(policies), -1), axis=0, return_inverse=True)
    found = [
        hitting_probability(marked, np.vstack([policy, idle]), targets) @ marked.start
        for policy in flat.reshape(-1, *shape)
    ]
    return np.clip(np.array(found)[of_goal.ravel()], 0, 1)


def _marked(mdp: FiniteMDP, tagged: NDArray[np.bool_]) -> FiniteMDP:
    """The process in which every tagged act leads to one more state, and that to itself."""
    row = np.repeat(np.arange(mdp.n_states * mdp.n_actions), np.diff(mdp.row_start))
    state, action = np.divmod(row, mdp.n_actions)
    to = np.where(tagged[state, action], mdp.n_states, mdp.next_state)
    rows = np.column_stack([state, action, to, mdp.probability])
    end = [[mdp.n_states, 0, mdp.n_states, 1.0]]
    return FiniteMDP.from_coo(
        mdp.n_states + 1,
        mdp.n_actions,
        np.vstack([rows, end]),
        start=np.append(mdp.start, 0.0),
    )
