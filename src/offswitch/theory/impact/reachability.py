"""Relative reachability: which states an act has made harder to come by.

Krakovna, Orseau, Kumar, Martic & Legg 2019 (arXiv 1806.01186): R(x; y) = max over policies of
E[gamma^N], N the steps from x to y; the penalty is the mean over y of how far the reachability of y
has fallen below that of a baseline state, max(R(baseline; y) - R(now; y), 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError, nearest_name
from offswitch.mdp.discount import checked_discount
from offswitch.mdp.model import FiniteMDP

__all__ = ["Baseline", "reachability", "reachability_penalty", "relative_reachability"]

Baseline = Literal["start", "inaction", "stepwise"]
"""With what the present is compared: the start; where doing nothing from the start would have led;
where doing nothing at the last step only would have."""
BASELINES = ("inaction", "start", "stepwise")


def reachability(
    mdp: FiniteMDP, *, discount: float, tolerance: float = 1e-10
) -> NDArray[np.float64]:
    """[S, S] R(x; y), the largest expected gamma^(steps from x to y), in [0, 1]; 1 on the diagonal.

    Within `tolerance` from below. Deterministic: gamma^distance. Dense in states:
    O(sweeps x transitions x S) time and O(S^2) memory.

    >>> line = FiniteMDP.from_coo(3, 1, [(0, 0, 1, 1), (1, 0, 2, 1), (2, 0, 2, 1)])
    >>> reachability(line, discount=0.5)[0].tolist()
    [1.0, 0.5, 0.25]

    Raises:
        ModelError: the discount is not in (0, 1), or the tolerance not positive.
    """
    gamma = checked_discount(discount)
    if not 0 < tolerance < 1:
        raise ModelError(f"tolerance is {tolerance}, expected a number in (0, 1), 1e-10")
    S, A = mdp.n_states, mdp.n_actions
    shut = ~mdp.available[:, :, None]
    reach = np.eye(S)
    change = 1.0
    # From below, so every iterate is one; what is left is at most change * gamma / (1 - gamma).
    while change * gamma > tolerance * (1 - gamma):
        ahead = np.where(shut, 0.0, (mdp.matrix @ reach).reshape(S, A, S))
        better = gamma * ahead.max(axis=1)
        np.fill_diagonal(better, 1.0)
        change = float(np.abs(better - reach).max())
        reach = better
    return reach


def relative_reachability(
    reach: NDArray[np.float64], now: NDArray[np.float64], baseline: NDArray[np.float64]
) -> float:
    """1/S sum_y max(R(baseline; y) - R(now; y), 0), in [0, 1]; both states as distributions `[S]`.

    Reachability from a distribution is its expectation.

    >>> float(relative_reachability(np.eye(2), np.array([1.0, 0.0]), np.array([0.0, 1.0])))
    0.5
    """
    fall: NDArray[np.float64] = np.maximum(baseline @ reach - now @ reach, 0)
    return float(fall.mean())


def reachability_penalty(
    mdp: FiniteMDP,
    reach: NDArray[np.float64],
    states: Sequence[int],
    *,
    noop: int,
    baseline: Baseline = "stepwise",
) -> NDArray[np.float64]:
    """[T] the penalty at every step of the trajectory `states [T + 1]`, each in [0, 1].

    `reach` is `reachability`, `noop` the action that does nothing. The stepwise baseline lets the
    agent alone with what happened before, so undoing its own act is not rewarded; the start
    baseline also blames it for what the world does by itself.

    Raises:
        ModelError: the baseline is unknown, a state does not exist, or doing nothing is
            unavailable where the baseline would do it.
    """
    if baseline not in BASELINES:
        raise ModelError(nearest_name(baseline, BASELINES, kind="baseline", lister="Baseline"))
    path = np.asarray(states, dtype=np.int64)
    if path.ndim != 1 or len(path) < 2 or path.min() < 0 or path.max() >= mdp.n_states:
        raise ModelError(
            f"states are {path.tolist()}, expected at least 2 numbers in [0, {mdp.n_states})"
        )
    points = np.eye(mdp.n_states)[path]
    if baseline == "start":
        references = np.repeat(points[:1], len(path) - 1, axis=0)
    elif baseline == "stepwise":
        references = np.stack([_idled(mdp, point, noop) for point in points[:-1]])
    else:
        where = points[0]
        idled = [where := _idled(mdp, where, noop) for _ in range(len(path) - 1)]
        references = np.stack(idled)
    pairs = zip(points[1:], references, strict=True)
    return np.array([relative_reachability(reach, now, then) for now, then in pairs])


def _idled(mdp: FiniteMDP, where: NDArray[np.float64], noop: int) -> NDArray[np.float64]:
    """[S] the distribution one step of doing nothing after `where [S]`."""
    present = np.flatnonzero(where > 0)
    if not 0 <= noop < mdp.n_actions or not mdp.available[present, noop].all():
        stuck = [s for s in present if not 0 <= noop < mdp.n_actions or not mdp.available[s, noop]]
        raise ModelError(
            f"noop is action {noop}, which is unavailable in state {stuck[0]} "
            f"({mdp.state_names[stuck[0]]!r}), where the baseline would take it"
        )
    after: NDArray[np.float64] = where[present] @ mdp.matrix[present * mdp.n_actions + noop]
    return after
