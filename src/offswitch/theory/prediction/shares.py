"""Shares of goals, with goals that float64 cannot decide counted both ways."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from offswitch.statistics.clopper_pearson import clopper_pearson
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data
from offswitch.statistics.paired import paired_measurement

__all__ = ["FORCED", "UNIT", "forced_share", "paired_difference", "share_of", "widened_share"]

UNIT = "share of goals"
FORCED = "not asked: no policy avoids it"
"""The method of a share that has no data because the start forces the act."""
FEW = 0.05
"""Share of goals that may be undecided where an estimate is given at all."""


def widened_share(
    name: str, yes: int, unsure: int, n: int, *, level: float, seed: int | None
) -> Measurement:
    """`yes` of `n` goals, `unsure` of which are undecided: low counts them as no, high as yes.

    The estimate is the share of the decided goals, and None where over 5 % are undecided; such
    goals are `missing`.

    >>> found = widened_share("needed", 50, 2, 100, level=0.95, seed=0)
    >>> round(found.estimate, 3), round(found.low, 3), round(found.high, 3), found.missing
    (0.51, 0.398, 0.621, 2)

    Raises:
        StatisticsError: a count or the level makes no sense.
    """
    if n == 0:
        return no_data(name, level=level, unit=UNIT)
    low = clopper_pearson(yes, n, level=level)[0]
    high = clopper_pearson(yes + unsure, n, level=level)[1]
    decided = n - unsure
    method = "clopper-pearson" + ", undecided goals counted both ways" * bool(unsure)
    return Measurement(
        name=name, estimate=yes / decided if unsure <= FEW * n and decided else None, low=low,
        high=high, level=level, n=decided, missing=unsure, unit=UNIT, method=method, seed=seed,
    )  # fmt: skip


def share_of(
    name: str, yes: NDArray[np.bool_], unsure: NDArray[np.bool_], *, level: float, seed: int
) -> Measurement:
    """The share of `yes [n]` among goals of which those of `unsure [n]` are undecided."""
    certain = int((yes & ~unsure).sum())
    return widened_share(name, certain, int(unsure.sum()), len(yes), level=level, seed=seed)


def forced_share(name: str, level: float) -> Measurement:
    """No data: where the start forces an act, whether goals need it cannot be asked."""
    return msgspec.structs.replace(no_data(name, level=level, unit=UNIT), method=FORCED)


def paired_difference(
    name: str,
    treated: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    control: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    *,
    level: float,
    seed: int,
) -> Measurement:
    """Share of goals in `treated` less that in `control`, each (yes, unsure) `[n]`, goal by goal.

    Newcombe's interval for pairs. A pair with an undecided half is missing, and widens the
    interval by as much as it could change the difference.
    """
    known = ~(treated[1] | control[1])
    missing = int((~known).sum())
    if not known.any():
        return no_data(name, level=level, missing=missing, unit=UNIT)
    mine, other = treated[0][known], control[0][known]
    found = paired_measurement(
        name, mine, other, ["goals"] * len(mine), seed=seed, unit=UNIT, level=level,
        missing=missing,
    )  # fmt: skip
    assert found.low is not None  # pairs of one cluster have Newcombe's interval
    assert found.high is not None
    slack = 2 * missing / len(known)
    return Measurement(
        name=name, estimate=found.estimate, low=max(-1.0, found.low - slack),
        high=min(1.0, found.high + slack), level=level, n=found.n, missing=missing, unit=UNIT,
        method="newcombe, paired goals", seed=seed,
    )  # fmt: skip
