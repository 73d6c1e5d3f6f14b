"""POWER: the ability to reach a wide range of goals from a state.

POWER(s) = (1 - gamma) / gamma * E[V*(s) - r(s)], rewards iid U(0, 1) on states: Turner, Smith,
Shah, Critch & Tadepalli 2021 (arXiv 1912.01683), Def. 5.2. It lies in [1/2, 1), and is 1/2 where
there is nothing to choose.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve
from offswitch.statistics.level import tail_probability
from offswitch.theory.reward_draws import sample_rewards

__all__ = ["Power", "PowerSamples", "power", "power_samples"]

SOLVER_TOLERANCE = 1e-6
"""In units of POWER; some ten thousand samples would be needed to see the like."""
BATCH_ENTRIES = 4_000_000
"""Goals x states x actions solved at once: some 100 MB."""


class PowerSamples(NamedTuple):
    """What each goal contributes to POWER. n goals, S states."""

    value: NDArray[np.float64]
    """[n, S] (1 - gamma) / gamma * (V*(s) - r(s)), in units of reward."""
    solver_error: float
    """Certified bound on the error of every entry, in units of reward."""


@dataclass(frozen=True, eq=False)
class Power:
    """POWER of every state with pointwise intervals. S states."""

    estimate: NDArray[np.float64]
    """[S] mean over the sampled goals, in [0, 1]."""
    low: NDArray[np.float64]
    """[S] lower end of the interval of each state by itself, in [0, 1]."""
    high: NDArray[np.float64]
    """[S] upper end."""
    n: int
    """Goals sampled; the same ones serve every state, so differences between states are sharper
    than the intervals suggest."""
    solver_error: float
    """Certified bound on the part of the error that more samples would not remove, in POWER."""


def power(
    mdp: FiniteMDP,
    *,
    discount: float,
    samples: int = 1000,
    seed: int | np.random.Generator,
    level: float = 0.95,
) -> Power:
    """POWER of every state at `discount` in (0, 1), estimated from `samples` random goals.

    The interval is normal with the sample standard deviation, widened by the solver's certified
    error and cut to [0, 1]. One optimal solve per sample; memory is bounded.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> found = power(fork, discount=0.9, samples=400, seed=1)
    >>> bool(found.low[0] < 2 / 3 < found.high[0])
    True

    Raises:
        ModelError: fewer than 2 samples, or the discount is not in (0, 1).
        StatisticsError: the level is not in (0, 1).
    """
    if samples < 2:
        raise ModelError(f"samples is {samples}, expected at least 2: one has no spread")
    normal = NormalDist().inv_cdf(1 - tail_probability(level))
    generator = np.random.default_rng(seed)
    total = np.zeros(mdp.n_states)
    squares = np.zeros(mdp.n_states)
    solver_error = 0.0
    for count in _batches(samples, mdp.n_states * mdp.n_actions):
        batch = power_samples(mdp, sample_rewards(mdp, count, generator), discount)
        # About 1/2, near the mean of every state, the sum of squares loses no digits.
        total += (batch.value - 0.5).sum(axis=0)
        squares += ((batch.value - 0.5) ** 2).sum(axis=0)
        solver_error = max(solver_error, batch.solver_error)
    mean = total / samples
    variance = np.maximum(squares / samples - mean**2, 0) * samples / (samples - 1)
    width = normal * np.sqrt(variance / samples) + solver_error
    middle = np.clip(mean + 0.5, 0, 1)
    return Power(
        estimate=middle,
        low=np.clip(middle - width, 0, 1),
        high=np.clip(middle + width, 0, 1),
        n=samples,
        solver_error=solver_error,
    )


def power_samples(mdp: FiniteMDP, rewards: ArrayLike, discount: float) -> PowerSamples:
    """What each of the state rewards `[n, S]` contributes to POWER; their mean estimates it.

    For distributions of goals other than the uniform one. Its solver tolerance is 1e-6 of the
    largest reward.

    Raises:
        ModelError: the discount is not in (0, 1), or a reward is malformed.
    """
    earned = np.asarray(rewards, dtype=np.float64)
    if earned.ndim != 2:
        raise ModelError(
            f"rewards have shape {earned.shape}, expected [n, S] = [n, {mdp.n_states}]"
        )
    largest = float(np.abs(earned).max(initial=0)) or 1.0
    # A malformed discount or reward must reach the solver, which says what is wrong with it.
    unit = discount / (1 - discount) if 0 < discount < 1 else 1.0
    size = largest if np.isfinite(largest) else 1.0
    found = solve(mdp, earned, discount, tolerance=SOLVER_TOLERANCE * size * unit)
    rounding = 4 * np.finfo(np.float64).eps * float(np.abs(found.value).max())
    return PowerSamples(
        value=(found.value - earned) / unit,
        solver_error=(float(found.error.max()) + rounding) / unit,
    )


def _batches(samples: int, entries: int) -> list[int]:
    size = max(1, BATCH_ENTRIES // entries)
    whole, rest = divmod(samples, size)
    return [size] * whole + [rest] * (rest > 0)
