"""How convergent a tagged act is: the share of goals that need it."""

from __future__ import annotations

from numpy.typing import ArrayLike

from offswitch.mdp.model import FiniteMDP
from offswitch.statistics.clopper_pearson import clopper_pearson
from offswitch.statistics.measurement import Measurement
from offswitch.theory.optimality import optimal_share

__all__ = ["convergence"]


def convergence(
    mdp: FiniteMDP,
    rewards: ArrayLike,
    tagged: ArrayLike,
    *,
    discount: float,
    level: float = 0.95,
    tolerance: float = 1e-6,
    seed: int | None = None,
    name: str = "convergence",
) -> Measurement:
    """The share of the goals `[K, S]` or `[K, S, A]` whose optimum falls without the tagged acts.

    The interval is Clopper and Pearson's and takes the goals to be independent draws, as those of
    `sample_rewards` are; `seed` records theirs. Goals the solver cannot decide count as missing.
    `tolerance` as in `optimal_share`.

    Raises:
        ModelError: as `optimal_share`.
        StatisticsError: the level is not in (0, 1).
    """
    found = optimal_share(mdp, rewards, tagged, discount=discount, tolerance=tolerance)
    missing = int(found.undecided.sum())
    needed = int(found.needed.sum())
    n = len(found.needed) - missing
    low, high = clopper_pearson(needed, n, level=level) if n else (None, None)
    return Measurement(
        name=name,
        estimate=needed / n if n else None,
        low=low,
        high=high,
        level=level,
        n=n,
        missing=missing,
        unit="share of goals",
        method="clopper-pearson",
        seed=seed,
    )
