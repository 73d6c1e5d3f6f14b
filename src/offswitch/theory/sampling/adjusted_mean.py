"""Means sharpened by regression on controls whose means are known.

An estimate of E y is the mean of y - b (c - E c): unbiased for any coefficients b that the same
samples did not choose. They come from a pilot sample of their own, so replicates stay independent
and the t interval over them is what it says; in return the pilot's goals are spent on nothing else.
Glasserman 2004, Sec. 4.1. S states, k controls, 64 samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.lanes import LANES
from offswitch.theory.sampling.contributions import Contributions, Draws, Gains
from offswitch.theory.sampling.reachable_maximum import Controls, control_values

__all__ = ["PilotSums", "PilotWork", "adjust", "adjusted_range", "coefficients"]

LEAST_SHARE = 1e-4
"""Of a control's variance: mixes of controls that vary less get no coefficient, as it would be as
large as it is uncertain. Mixes that vary more get theirs in full: a gain that controls explain
entirely comes out constant, which is how one knows that its spread says nothing."""
LEAST_VARIANCE = 1e-9
"""Of a control's mean square: a smaller variance is rounding."""


class PilotSums(NamedTuple):
    """Sums over a pilot sample, about known means so that no digits are lost."""

    n: int
    gain: NDArray[np.float64]
    """[S] sum of y - E r."""
    control: NDArray[np.float64]
    """[k, S] sum of c - E c."""
    gain_control: NDArray[np.float64]
    """[k, S] sum of (y - E r) (c - E c)."""
    control_control: NDArray[np.float64]
    """[k, k, S]."""

    def plus(self, other: PilotSums) -> PilotSums:
        """Both samples together."""
        return PilotSums(
            self.n + other.n,
            self.gain + other.gain,
            self.control + other.control,
            self.gain_control + other.gain_control,
            self.control_control + other.control_control,
        )


@dataclass(frozen=True, eq=False)
class PilotWork:
    """The pilot sums of blocks of goals."""

    gains: Gains
    draws: Draws
    controls: Controls

    def __call__(self, blocks: range) -> list[PilotSums]:
        """The sums of every block."""
        return [self._of(self.gains.of(self.draws.block(b))) for b in blocks]

    def _of(self, found: Contributions) -> PilotSums:
        means = self.controls.means
        away = np.empty((len(means) + 1, *found.gain.shape))
        away[0] = found.gain - means[0][:, None]
        for place, values in enumerate(control_values(self.controls, found.reward)):
            away[place + 1] = values - means[place][:, None]
        rows = np.ascontiguousarray(away.transpose(1, 0, 2))
        square = (rows @ rows.transpose(0, 2, 1)).transpose(1, 2, 0)
        total = away.sum(axis=2)
        return PilotSums(away.shape[2], total[0], total[1:], square[0, 1:], square[1:, 1:])


def coefficients(pilot: PilotSums) -> NDArray[np.float64]:
    """[k, S] regression coefficients of y on the controls. O(S k^3).

    A control that does not vary gets 0.
    """
    n = pilot.n
    cross = pilot.gain_control - pilot.control * pilot.gain / n
    square = pilot.control_control - pilot.control[:, None] * pilot.control[None] / n
    count = len(square)
    own = np.arange(count)
    variance = square[own, own]
    varies = variance > LEAST_VARIANCE * pilot.control_control[own, own]
    scale = np.sqrt(np.where(varies, variance, 1.0))
    system = np.where(varies[:, None] & varies[None], square / (scale[:, None] * scale[None]), 0.0)
    sides = np.where(varies, cross, 0.0) / scale
    share, mix = np.linalg.eigh(system.transpose(2, 0, 1))
    along = np.einsum("sij,is->sj", mix, sides)
    kept = share > LEAST_SHARE
    along = np.where(kept, along, 0.0) / np.where(kept, share, 1.0)
    found: NDArray[np.float64] = np.einsum("sij,sj->is", mix, along) / scale
    return found


def adjust(
    controls: Controls, coefficient: NDArray[np.float64], found: Contributions
) -> NDArray[np.float64]:
    """[S, 64] y - b (c - E c); overwrites `found.gain`."""
    for place, values in enumerate(control_values(controls, found.reward)):
        _subtract(found.gain, values, coefficient[place], controls.means[place])
    return found.gain


def adjusted_range(
    controls: Controls, coefficient: NDArray[np.float64], bounds: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[S], [S]: between these lies every adjusted gain if rewards lie in `bounds`."""
    low, high = bounds
    offset = (coefficient * controls.means).sum(axis=0)
    first, second = coefficient * low, coefficient * high
    return (
        low + offset - np.maximum(first, second).sum(axis=0),
        high + offset - np.minimum(first, second).sum(axis=0),
    )


@numba.njit(cache=True, nogil=True)
def _subtract(
    gain: NDArray[np.float64],
    values: NDArray[np.float64],
    coefficient: NDArray[np.float64],
    mean: NDArray[np.float64],
) -> None:
    width = numba.uint64(LANES)
    flat, drawn = gain.reshape(-1), values.reshape(-1)
    for state in range(gain.shape[0]):
        b, centre, row = coefficient[state], mean[state], numba.uint64(state) * width
        for lane in range(LANES):
            at = row + numba.uint64(lane)
            flat[at] -= b * (drawn[at] - centre)
