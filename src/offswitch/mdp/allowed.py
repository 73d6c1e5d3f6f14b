"""Which actions may be taken: what the process offers, less what the caller forbids."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP

__all__ = ["allowed_actions"]


def allowed_actions(mdp: FiniteMDP, allowed: ArrayLike | None = None) -> NDArray[np.bool_]:
    """[S, A] the available actions that `allowed [S, A]` keeps; all of them without it.

    Raises:
        ModelError: `allowed` is not `[S, A]` of booleans, or leaves a state without an action.
    """
    if allowed is None:
        return mdp.available
    mask = np.asarray(allowed)
    if mask.shape != (mdp.n_states, mdp.n_actions) or mask.dtype != np.bool_:
        raise ModelError(
            f"allowed has shape {mask.shape} of {mask.dtype}, expected "
            f"[S, A] = [{mdp.n_states}, {mdp.n_actions}] of bool"
        )
    kept: NDArray[np.bool_] = mdp.available & mask
    stuck = np.flatnonzero(~kept.any(axis=1))
    if len(stuck):
        raise ModelError(
            f"allowed leaves {len(stuck)} states without an action, the first is state "
            f"{stuck[0]} ({mdp.state_names[stuck[0]]!r}). Keep one in every state; a state that "
            "must not be entered is one whose entrances are forbidden."
        )
    return kept
