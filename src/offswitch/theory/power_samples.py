"""What each of given goals contributes to POWER, to float64 accuracy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.numbers import number_array
from offswitch.mdp.solve import solve

__all__ = ["PowerSamples", "power_samples"]

SOLVER_TOLERANCE = 1e-6
"""Of the largest reward, in units of POWER."""


class PowerSamples(NamedTuple):
    """What each goal contributes to POWER. n goals, S states."""

    value: NDArray[np.float64]
    """[n, S] (1 - gamma) / gamma * (V*(s) - r(s)), in units of reward."""
    solver_error: float
    """Certified bound on the error of every entry, in units of reward."""


def power_samples(
    mdp: FiniteMDP, rewards: ArrayLike, discount: float, *, allowed: ArrayLike | None = None
) -> PowerSamples:
    """What each of the state rewards `[n, S]` contributes to POWER; their mean estimates it.

    Certified to 1e-6 of the largest reward. O(n transitions) a sweep; `power` is for many goals.

    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> power_samples(loop, [[0.25]], 0.9).value.round(6).tolist()
    [[0.25]]

    Raises:
        ModelError: the discount is not in (0, 1), or the rewards or the mask are malformed.
    """
    earned = number_array("rewards", rewards, "[n, S]")
    if earned.ndim != 2:
        raise ModelError(
            f"rewards have shape {earned.shape}, expected [n, S] = [n, {mdp.n_states}]"
        )
    largest = float(np.abs(earned).max(initial=0)) or 1.0
    # A malformed discount or reward must reach the solver, which says what is wrong with it.
    unit = discount / (1 - discount) if 0 < discount < 1 else 1.0
    size = largest if np.isfinite(largest) else 1.0
    found = solve(mdp, earned, discount, tolerance=SOLVER_TOLERANCE * size * unit, allowed=allowed)
    rounding = 4 * np.finfo(np.float64).eps * float(np.abs(found.value).max())
    return PowerSamples(
        value=(found.value - earned) / unit,
        solver_error=(float(found.error.max()) + rounding) / unit,
    )
