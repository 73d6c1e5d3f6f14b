"""How one process will be solved for many rewards: analysed once, used for every block.

S states, A actions. `SolverPlan` is what all solvers of the package take.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.allowed import allowed_actions
from offswitch.mdp.batched.deterministic_sweeps import SweepTable, sweep_table
from offswitch.mdp.batched.short_cycles import ShortCycles, short_cycles
from offswitch.mdp.batched.structure import Structure, analyse_structure
from offswitch.mdp.certificate import contraction
from offswitch.mdp.discount import checked_discount
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.task import Task

__all__ = ["Method", "SolverPlan", "plan_solver"]

ROUNDOFF_32 = 2.0**-24
DENSE_STATES = 512
"""Up to here a dense product of choices and states is worth its zeros, ..."""
DENSE_SHARE = 0.25
"""... if at least this share of it is not zero."""

Method = Literal["lower-bound sweeps", "span sweeps", "dense products"]
"""The first for deterministic processes, the others where chance decides."""


@dataclass(frozen=True, eq=False)
class SolverPlan:
    """One process, discount and tolerance, and the method and precision they call for."""

    mdp: FiniteMDP
    discount: float
    """In (0, 1)."""
    tolerance: float
    """Wanted bound on |V - V*| in every state, as a multiple of the largest |reward| of the sample:
    a sample with rewards in [-2, 1] is solved to within 2 * tolerance."""
    allowed: NDArray[np.bool_]
    """[S, A] actions that may be taken, in original order."""
    structure: Structure
    method: Method
    dtype: np.dtype[Any]  # Any: float32 or float64
    """Of rewards and values: float32 where its rounding leaves room for the tolerance."""
    contraction: float
    """beta: one Bellman update shrinks distances by this at least; gamma times the largest row sum.
    Below 1."""
    table: SweepTable | None
    """Successors as the sweeps of deterministic processes take them, else None."""
    cycles: ShortCycles | None
    """Cycles of one and two states of deterministic processes, else None."""

    @property
    def order(self) -> NDArray[np.int64]:
        """[S] the original state at every internal position."""
        return self.structure.order

    @property
    def n_states(self) -> int:
        """S."""
        return self.mdp.n_states


def plan_solver(
    mdp: FiniteMDP, discount: float, *, tolerance: float, allowed: ArrayLike | None = None
) -> SolverPlan:
    """The plan for solving `mdp` at `discount` in (0, 1) for any number of state rewards.

    `tolerance` bounds |V - V*| as a multiple of the largest |reward|; `allowed [S, A]` forbids
    further actions. O(transitions): about a second for a million states with five actions.

    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> plan_solver(loop, 0.9, tolerance=1e-3).method
    'lower-bound sweeps'

    Raises:
        ModelError: the discount, tolerance or mask is malformed, or the rows are too inexact for
            the discount.
    """
    gamma = checked_discount(discount)
    if not 0 < tolerance < math.inf:
        raise ModelError(
            f"tolerance is {tolerance}, expected a positive number: the largest error of a value "
            "as a multiple of the largest reward, say 1e-6"
        )
    kept = allowed_actions(mdp, allowed)
    structure = analyse_structure(mdp, kept)
    return SolverPlan(
        mdp=mdp,
        discount=gamma,
        tolerance=float(tolerance),
        allowed=kept,
        structure=structure,
        method=_method(structure, gamma),
        dtype=_precision(gamma, tolerance),
        contraction=_contraction(mdp, structure, gamma),
        table=sweep_table(structure) if structure.deterministic else None,
        cycles=short_cycles(structure) if structure.deterministic else None,
    )


def _contraction(mdp: FiniteMDP, structure: Structure, discount: float) -> float:
    if structure.deterministic:
        return discount
    no_reward = np.zeros((1, mdp.n_states, 1))
    rows = mdp.row_start, mdp.next_state, mdp.probability
    return contraction(Task(*rows, mdp.available, no_reward, discount))


def _method(structure: Structure, discount: float) -> Method:
    if structure.deterministic:
        return "lower-bound sweeps"
    n_states = structure.n_states
    filled = len(structure.next_state) / (structure.n_choices * n_states)
    dense = n_states <= DENSE_STATES and filled >= DENSE_SHARE
    return "dense products" if dense else "span sweeps"


def _precision(discount: float, tolerance: float) -> np.dtype[Any]:  # Any: either width
    # A value is at most max |r| / (1 - gamma); every update rounds it a few times, and the
    # certificate divides what is left by 1 - gamma once more.
    reached = 4 * ROUNDOFF_32 / (1 - discount) ** 2
    return np.dtype(np.float32 if reached <= tolerance else np.float64)
