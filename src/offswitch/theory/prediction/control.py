"""The same world without its threat: what of a share of goals is about the threat at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.sampling.goal_blocks import GoalBlocks, goal_blocks

__all__ = ["ControlProcess", "control_goals"]

OWN_STATES = 0x5DEECE66D
"""Turned into the seed for states that only the control has, apart from those of the process."""


@dataclass(frozen=True, eq=False)
class ControlProcess:
    """A process without the threat. S' states, A actions."""

    condition: str
    """Its threat level, such as 'none'."""
    mdp: FiniteMDP
    tagged: NDArray[np.bool_]
    """[S', A]."""
    same: NDArray[np.int64]
    """[S'] the state of the judged process that is the same; -1 where it has none."""


def control_goals(control: ControlProcess, main: GoalBlocks) -> GoalBlocks:
    """The goals of `main`, on the states of the control.

    A state that both have pays the same in both, so goals can be compared one by one; a state of
    the control alone is paid by the law, from a seed derived from that of `main`.
    """
    assert main.law is not None and main.seed is not None  # goals of a law
    own = goal_blocks(control.mdp, main.law, main.n, main.seed ^ OWN_STATES)
    return _Paired(
        n=main.n, n_states=control.mdp.n_states, seed=main.seed, law=main.law, given=None,
        main=main, own=own, same=control.same,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Paired(GoalBlocks):
    main: GoalBlocks
    own: GoalBlocks
    same: NDArray[np.int64]

    def block(self, number: int) -> NDArray[np.float64]:
        """[64, S'] as the goals of `main` where states are the same."""
        rewards = self.own.block(number).copy()
        shared = self.same >= 0
        rewards[:, shared] = self.main.block(number)[:, self.same[shared]]
        return rewards
