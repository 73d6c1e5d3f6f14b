"""For which goals the optimum needs a tagged act, and what forgoing it costs.

The optimality probability of Turner et al. 2021, Defs 4.1-4.4, asked of an event (any tagged act
anywhere) rather than of one action in one state, and of its necessity rather than its optimality:
where a tagged act is only tied for the best, no goal needs it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.reward import checked_reward
from offswitch.mdp.solve import solve
from offswitch.theory.avoidance import avoiding_actions

__all__ = ["TaggedOptimality", "optimal_share"]

SOLVER_SHARE = 0.01
"""The solver's tolerance, as a share of the fall that counts as a tie."""


@dataclass(frozen=True, eq=False)
class TaggedOptimality:
    """What never taking a tagged act costs each of K goals, from the start."""

    needed: NDArray[np.bool_]
    """[K] whether the optimum certainly falls by more than a tie."""
    forgone: NDArray[np.float64]
    """[K] the fall: optimal return less the best without tagged acts, in the goal's own units."""
    undecided: NDArray[np.bool_]
    """[K] the fall cannot be told from the largest that still counts as a tie."""
    error: NDArray[np.float64]
    """[K] certified bound on the error of `forgone`, in the goal's own units."""


def optimal_share(
    mdp: FiniteMDP,
    rewards: ArrayLike,
    tagged: ArrayLike,
    *,
    discount: float,
    tolerance: float = 1e-6,
) -> TaggedOptimality:
    """For each goal, whether every optimal policy from `mdp.start` may take a tagged act.

    `rewards` is `[K, S]` or `[K, S, A]`, `tagged [S, A]` of bool. The optimum is compared with the
    best among policies that never take a tagged act, with certainty (`avoiding_actions`): where
    all acts of a state are tagged, entering that state counts as taking one. A fall of at most
    `tolerance` of the goal's range of rewards counts as a tie, so the answer does not depend on
    the unit of the reward. Two optimal solves of all goals.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> to_second = [[False, True], [False, False], [False, False]]
    >>> optimal_share(fork, [[0, 1, 0.0], [0, 0, 1]], to_second, discount=0.5).needed.tolist()
    [False, True]

    Raises:
        ModelError: an argument is malformed, or no policy avoids the tagged acts, so that there is
            nothing to compare with.
    """
    if not 0 < tolerance < 1:
        raise ModelError(f"tolerance is {tolerance}, expected a share of the reward's range, 1e-6")
    earned = checked_reward(mdp, rewards)
    unit = _units(mdp, earned)
    scaled = _scaled(mdp, earned, unit)
    accuracy = tolerance * SOLVER_SHARE
    free = solve(mdp, scaled, discount, tolerance=accuracy)
    bound = solve(mdp, scaled, discount, tolerance=accuracy, allowed=_mask(mdp, tagged))
    fall = (free.value - bound.value) @ mdp.start
    # The start may sum to 1 within 1e-9; the last term is the rounding of the weighted sum.
    rounding = (mdp.n_states + 4) * np.finfo(np.float64).eps * np.abs(free.value).max(axis=1)
    error = (free.error + bound.error) * (1 + 1e-8) + rounding
    needed = fall - error > tolerance
    return TaggedOptimality(
        needed=needed,
        forgone=fall * unit,
        undecided=~needed & (fall + error > tolerance),
        error=error * unit,
    )


def _units(mdp: FiniteMDP, reward: NDArray[np.float64]) -> NDArray[np.float64]:
    """[K] the range of each goal's reward, up to a power of two so that dividing is exact."""
    wide = np.broadcast_to(reward, (*reward.shape[:2], mdp.n_actions))
    paid = wide[:, mdp.available]
    spread = paid.max(axis=1) - paid.min(axis=1)
    # A constant reward makes every policy equal; any unit will do.
    spread = np.where(spread > 0, spread, np.abs(paid).max(axis=1))
    spread = np.where(spread > 0, spread, 1.0)
    units: NDArray[np.float64] = np.exp2(np.ceil(np.log2(spread)))
    return units


def _scaled(
    mdp: FiniteMDP, reward: NDArray[np.float64], unit: NDArray[np.float64]
) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = reward / unit[:, None, None]
    by_state = scaled.shape[2] == 1 and mdp.n_actions > 1
    return scaled[:, :, 0] if by_state else scaled


def _mask(mdp: FiniteMDP, tagged: ArrayLike) -> NDArray[np.bool_]:
    kept = avoiding_actions(mdp, tagged)
    forced: NDArray[np.bool_] = np.asarray(~kept.any(axis=1))
    caught = np.flatnonzero(forced & (mdp.start > 0))
    if len(caught):
        raise ModelError(
            f"every policy may take a tagged act from start state {caught[0]} "
            f"({mdp.state_names[caught[0]]!r}), so there is nothing to compare with. Tag acts that "
            "can be declined."
        )
    # Kept acts never lead to forced states, so what these may do changes no value that is used;
    # the solver only wants every state to have an action.
    mask: NDArray[np.bool_] = kept | (mdp.available & forced[:, None])
    return mask
