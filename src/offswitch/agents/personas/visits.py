"""Where a table may take the agent, step by step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from offswitch.worlds.compiled import CompiledWorld

__all__ = ["comes_to", "supports"]


def comes_to(compiled: CompiledWorld, rows: NDArray[np.float64], acts: NDArray[np.bool_]) -> bool:
    """Whether an agent of the table `rows` may come to where it can do one of `acts` `[S, A]`."""
    return any(acts[reached].any() for reached in supports(compiled, rows))


def supports(compiled: CompiledWorld, rows: NDArray[np.float64]) -> Iterator[NDArray[np.bool_]]:
    """[S] whether the agent may be there and acting, for every step in turn; `rows` is `[O, A]`.

    O(horizon * branches).
    """
    taken = (rows[compiled.observation_of] > 0).ravel()
    row_of = np.repeat(np.arange(len(taken)), np.diff(compiled.branch_start))
    possible = compiled.branch_probability > 0
    n_actions = compiled.mdp.n_actions
    here = compiled.mdp.start > 0
    for _ in range(compiled.world.horizon):
        here = here & ~compiled.ending
        if not here.any():
            return
        yield here
        leaving = np.repeat(here, n_actions) & taken
        following = compiled.branch_next[leaving[row_of] & possible]
        here = np.zeros_like(here)
        here[following] = True
