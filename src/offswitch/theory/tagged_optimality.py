"""For which goals the optimum needs a tagged act, and what forgoing it costs.

Not the optimality but the necessity of an event (any tagged act anywhere): where a tagged act is
only tied for the best, no goal needs it. `optimality` asks both of goals drawn at random.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.allowed import allowed_actions
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve
from offswitch.theory.avoidance import avoiding_actions
from offswitch.theory.reward_units import scaled_rewards

__all__ = ["SOLVER_SHARE", "TaggedOptimality", "optimal_share"]

SOLVER_SHARE = 0.01
"""The solver's tolerance, as a share of the fall that counts as a tie."""


@dataclass(frozen=True, eq=False)
class TaggedOptimality:
    """What never taking a tagged act costs each of K goals, from the start."""

    needed: NDArray[np.bool_]
    """[K] whether the optimum certainly falls by more than a tie."""
    forgone: NDArray[np.float64]
    """[K] the fall: optimal return less the best without tagged acts, in the goal's own units;
    infinite where the acts are forced."""
    undecided: NDArray[np.bool_]
    """[K] the fall cannot be told from the largest that still counts as a tie."""
    error: NDArray[np.float64]
    """[K] certified bound on the error of `forgone`, in the goal's own units."""
    forced_at: int | None = None
    """A start state from which every policy may take a tagged act. Then every goal needs it, for
    want of anything else to do: that says nothing of goals, and a random agent takes it too."""

    @property
    def forced(self) -> bool:
        """Whether no policy avoids the tagged acts."""
        return self.forced_at is not None


def optimal_share(
    mdp: FiniteMDP,
    rewards: ArrayLike,
    tagged: ArrayLike,
    *,
    discount: float,
    tolerance: float = 1e-6,
    allowed: ArrayLike | None = None,
) -> TaggedOptimality:
    """For each goal, whether every optimal policy from `mdp.start` may take a tagged act.

    `rewards` is `[K, S]` or `[K, S, A]`, `tagged [S, A]` of bool. The optimum is compared with the
    best among policies that never take a tagged act, with certainty (`avoiding_actions`): where
    all acts of a state are tagged, entering that state counts as taking one. A fall of at most
    `tolerance` of the goal's range of rewards counts as a tie, so the answer does not depend on
    the unit of the reward. Where no policy avoids the acts the best without them is that of no
    policy at all, minus infinity, and `forced_at` says so. `allowed [S, A]` forbids further
    actions throughout. Two optimal solves of all goals.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> to_second = [[False, True], [False, False], [False, False]]
    >>> optimal_share(fork, [[0, 1, 0.0], [0, 0, 1]], to_second, discount=0.5).needed.tolist()
    [False, True]

    Raises:
        ModelError: an argument is malformed.
    """
    if not 0 < tolerance < math.inf:
        raise ModelError(f"tolerance is {tolerance}, expected a share of the reward's range, 1e-6")
    scaled, unit = scaled_rewards(mdp, rewards)
    offered = allowed_actions(mdp, allowed)
    kept = avoiding_actions(mdp, _with_forbidden(tagged, mdp, offered))
    accuracy = tolerance * SOLVER_SHARE
    free = solve(mdp, scaled, discount, tolerance=accuracy, allowed=allowed)
    caught = np.flatnonzero(~kept.any(axis=1) & (mdp.start > 0))
    if len(caught):
        return _forced(len(unit), int(caught[0]))
    bound = solve(mdp, scaled, discount, tolerance=accuracy, allowed=_mask(kept, offered))
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


def _forced(goals: int, state: int) -> TaggedOptimality:
    return TaggedOptimality(
        needed=np.ones(goals, dtype=np.bool_),
        forgone=np.full(goals, np.inf),
        undecided=np.zeros(goals, dtype=np.bool_),
        error=np.zeros(goals),
        forced_at=state,
    )


def _with_forbidden(
    tagged: ArrayLike, mdp: FiniteMDP, offered: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """[S, A] what a policy must not take; a malformed `tagged` is left for the check to refuse."""
    tags = np.asarray(tagged)
    forbidden = mdp.available & ~offered
    sound = tags.shape == forbidden.shape and tags.dtype == np.bool_
    return tags | forbidden if sound else tags


def _mask(kept: NDArray[np.bool_], offered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    forced: NDArray[np.bool_] = np.asarray(~kept.any(axis=1))
    # Kept acts never lead to forced states, so what these may do changes no value that is used;
    # the solver only wants every state to have an action.
    mask: NDArray[np.bool_] = kept | (offered & forced[:, None])
    return mask
