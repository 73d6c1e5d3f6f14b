"""How often a tagged event is optimal, how often it is needed, and what forgoing it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.plan import SolverPlan
from offswitch.statistics.cluster_t import cluster_t
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data
from offswitch.statistics.proportion import proportion_measurement
from offswitch.theory.optimal_actions import OptimalActions, takes_tagged
from offswitch.theory.reward_units import tie_of
from offswitch.theory.tagged_optimality import optimal_share

__all__ = ["EventSums", "TaggedEvent", "event_of", "event_sums", "joined_events"]

UNIT = "share of goals"


@dataclass(frozen=True, eq=False)
class TaggedEvent:
    """Taking any tagged act, ever, from the start. Goals too close to call count as missing."""

    optimal: Measurement
    """The share of goals for which some optimal policy may take one (Turner et al., Def. 4.2)."""
    needed: Measurement
    """The share for which every optimal policy may: the optimum falls without."""
    forgone: Measurement
    """The mean fall, in units of return; no data where the acts are forced."""
    falls: NDArray[np.float64]
    """[n] the fall of every goal, in units of return, in the order of the goals; infinite where the
    acts are forced."""
    forced: bool
    """Whether no policy avoids the acts. Both shares are then 1, and say nothing of goals."""


class EventSums(NamedTuple):
    """What is known of a tagged event after n goals."""

    taken: NDArray[np.bool_]
    """[n] some optimal policy may take a tagged act."""
    taken_undecided: NDArray[np.bool_]
    """[n]."""
    needed: NDArray[np.bool_]
    """[n] every optimal policy may."""
    needed_undecided: NDArray[np.bool_]
    """[n]."""
    falls: NDArray[np.float64]
    """[n]."""
    forced: bool


def joined_events(parts: Sequence[EventSums]) -> EventSums:
    """The goals of all parts, in order."""
    return EventSums(
        taken=np.concatenate([part.taken for part in parts]),
        taken_undecided=np.concatenate([part.taken_undecided for part in parts]),
        needed=np.concatenate([part.needed for part in parts]),
        needed_undecided=np.concatenate([part.needed_undecided for part in parts]),
        falls=np.concatenate([part.falls for part in parts]),
        forced=any(part.forced for part in parts),
    )


def event_sums(
    plan: SolverPlan,
    rewards: NDArray[np.float64],
    acts: OptimalActions,
    tagged: NDArray[np.bool_],
) -> EventSums:
    """What `rewards [n, S]` say of taking an act of `tagged [S, A]`; `acts` are their optimal ones.

    Raises:
        ModelError: `tagged` is malformed.
    """
    mdp = plan.mdp
    share = optimal_share(
        mdp, rewards, tagged, discount=plan.discount, allowed=plan.allowed,
        tolerance=tie_of(plan.discount),
    )  # fmt: skip
    certain = takes_tagged(mdp, acts.optimal, tagged)
    possible = takes_tagged(mdp, acts.optimal | acts.near, tagged)
    # What is needed is taken by some optimal policy, even where the ties differ in a hair.
    taken = certain | share.needed
    return EventSums(
        taken, possible & ~taken, share.needed, share.undecided, share.forgone, share.forced
    )


def event_of(parts: Sequence[EventSums], level: float, seed: int | None) -> TaggedEvent:
    """The event over all goals."""
    sums = joined_events(parts)
    return TaggedEvent(
        optimal=_share("tagged_optimal", sums.taken, sums.taken_undecided, level, seed),
        needed=_share("tagged_needed", sums.needed, sums.needed_undecided, level, seed),
        forgone=_mean_fall(sums.falls, level, seed),
        falls=sums.falls,
        forced=sums.forced,
    )


def _share(
    name: str,
    flags: NDArray[np.bool_],
    undecided: NDArray[np.bool_],
    level: float,
    seed: int | None,
) -> Measurement:
    missing = int(undecided.sum())
    found = proportion_measurement(
        name, int(flags[~undecided].sum()), len(flags) - missing, method="clopper-pearson",
        level=level, missing=missing, unit=UNIT,
    )  # fmt: skip
    return _seeded(found, seed)


def _mean_fall(falls: NDArray[np.float64], level: float, seed: int | None) -> Measurement:
    name = "tagged_forgone"
    if not np.isfinite(falls).all():
        return no_data(name, level=level, missing=len(falls), unit="return")
    low, high = cluster_t(falls, level=level) if len(falls) > 1 else (None, None)
    return Measurement(
        name=name, estimate=float(falls.mean()), low=low, high=high, level=level, n=len(falls),
        unit="return", method="t over goals", seed=seed,
    )  # fmt: skip


def _seeded(found: Measurement, seed: int | None) -> Measurement:
    return Measurement(
        name=found.name, estimate=found.estimate, low=found.low, high=found.high,
        level=found.level, n=found.n, missing=found.missing, unit=found.unit, method=found.method,
        seed=seed,
    )  # fmt: skip
