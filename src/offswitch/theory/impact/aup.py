"""Attainable utility preservation: what an act changes in the agent's power over other goals.

Turner, Hadfield-Menell & Tadepalli 2020 (arXiv 1902.09725), Def. 2: the penalty of action a in
state s is the mean over auxiliary rewards of |Q_i(s, a) - Q_i(s, noop)|.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.rules.policies import optimal_action_values

__all__ = ["attainable_change", "aup_penalty", "aup_reward", "power_change"]


def attainable_change(
    mdp: FiniteMDP, auxiliary: ArrayLike, noop: int | ArrayLike, *, discount: float
) -> NDArray[np.float64]:
    """[K, S, A] Q_i(s, a) - Q_i(s, noop) for every auxiliary reward, with its sign; NaN if barred.

    `auxiliary` is `[K, S]` or `[K, S, A]`, `noop` an action or one for each state `[S]`. One
    optimal solve per reward.

    Raises:
        ModelError: an argument is malformed, or doing nothing is unavailable in some state.
    """
    values, nothing = _values(mdp, auxiliary, noop, discount)
    return values - nothing


def aup_penalty(
    mdp: FiniteMDP,
    auxiliary: ArrayLike,
    noop: int | ArrayLike,
    *,
    discount: float,
    scaled: bool = False,
) -> NDArray[np.float64]:
    """[S, A] the mean over auxiliary rewards of |Q_i(s, a) - Q_i(s, noop)|; NaN if unavailable.

    `scaled` divides by the mean of Q_i(s, noop), as the paper's Scale does; rewards must then be
    non-negative and some of it attainable, for the scale to be a size.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> aup_penalty(fork, [[0, 1, 0.0], [0, 0, 3]], 0, discount=0.5)[0].round(6).tolist()
    [0.0, 2.0]

    Raises:
        ModelError: as `attainable_change`, or the scale is not positive.
    """
    values, nothing = _values(mdp, auxiliary, noop, discount)
    penalty: NDArray[np.float64] = np.abs(values - nothing).mean(axis=0)
    if not scaled:
        return penalty
    scale: NDArray[np.float64] = nothing.mean(axis=0)
    if not (scale > 0).all():
        raise ModelError(
            "the mean attainable return after doing nothing is not positive in some state, so it "
            "cannot scale the penalty. Use non-negative auxiliary rewards, or scaled=False."
        )
    shares: NDArray[np.float64] = penalty / scale
    return shares


def aup_reward(reward: ArrayLike, penalty: ArrayLike, *, strength: float) -> NDArray[np.float64]:
    """[S, A] R(s, a) - strength * penalty(s, a), 0 where the action is unavailable.

    `reward` is `[S]` or `[S, A]`, `penalty [S, A]`, `strength` (lambda) at least 0.

    Raises:
        ModelError: the strength is negative or not finite.
    """
    if not 0 <= strength < np.inf:
        raise ModelError(f"strength is {strength}, expected a number of at least 0")
    cost = np.asarray(penalty, dtype=np.float64)
    paid = np.asarray(reward, dtype=np.float64)
    wide = paid[:, None] if paid.ndim == 1 else paid
    return np.where(np.isnan(cost), 0.0, wide - strength * np.nan_to_num(cost))


def power_change(
    mdp: FiniteMDP, auxiliary: ArrayLike, noop: int | ArrayLike, *, discount: float
) -> NDArray[np.float64]:
    """[K, S, A] what each auxiliary state reward `[K, S]` says of the change of POWER.

    For rewards r iid over states E[Q_r(s, a) - Q_r(s, noop)] = gamma^2 / (1 - gamma) times the
    difference of expected POWER after a and after noop, since POWER(s') = (1 - gamma) / gamma
    E[V*(s') - r(s')] and E r(s') is the same everywhere. So (1 - gamma) / gamma^2 times the signed
    change is an unbiased estimate of it from one sample, and the AUP penalty with one random
    auxiliary reward is the absolute value of such an estimate, biased upward (Jensen).

    Raises:
        ModelError: as `attainable_change`.
    """
    change = attainable_change(mdp, auxiliary, noop, discount=discount)
    return change * ((1 - discount) / discount**2)


def _values(
    mdp: FiniteMDP, auxiliary: ArrayLike, noop: int | ArrayLike, discount: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[K, S, A] action values, NaN if unavailable, and [K, S, 1] that of doing nothing."""
    idle = _checked_noop(mdp, noop)
    values = optimal_action_values(mdp, auxiliary, discount=discount)
    nothing = np.take_along_axis(values, idle[None, :, None], axis=2)
    return np.where(mdp.available, values, np.nan), nothing


def _checked_noop(mdp: FiniteMDP, noop: int | ArrayLike) -> NDArray[np.int64]:
    idle = np.broadcast_to(np.asarray(noop, dtype=np.int64), (mdp.n_states,))
    outside = (idle < 0) | (idle >= mdp.n_actions)
    barred = outside | ~mdp.available[np.arange(mdp.n_states), np.where(outside, 0, idle)]
    stuck = np.flatnonzero(barred)
    if len(stuck):
        raise ModelError(
            f"noop is action {idle[stuck[0]]} in state {stuck[0]} "
            f"({mdp.state_names[stuck[0]]!r}), which is unavailable there. Give one for each state."
        )
    return idle
