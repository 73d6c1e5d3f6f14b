"""Discounted visit distributions, and which of them are best for some goal."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from offswitch.errors import ModelError
from offswitch.mdp.discount import checked_discount
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.numbers import number_array
from offswitch.theory.long_run.restricted_policies import distinct_rows, restricted_policies

__all__ = ["non_dominated", "visit_distributions"]

LEAST_LEAD = 1e-9
"""Of a goal in [-1, 1]^S: a smaller lead over the others may be the linear program's rounding."""


def visit_distributions(
    mdp: FiniteMDP, state: int, discount: float, *, allowed: ArrayLike | None = None
) -> NDArray[np.float64]:
    """[F, S] F(s): expected discounted visits to each state, for every deterministic policy.

    Each row sums to 1 / (1 - gamma); rows are distinct and in lexicographic order. Turner et al.
    2021, Def. 3.3. Enumerates what policies do in states they reach; O(S^3) for each.

    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> visit_distributions(loop, 0, 0.5).tolist()
    [[2.0]]

    Raises:
        ModelError: the discount, state or mask is malformed, or there are over 100,000 policies.
    """
    gamma = checked_discount(discount)
    found = []
    for states, chain in restricted_policies(mdp, state, allowed):
        row = np.zeros(mdp.n_states)
        first = np.eye(1, len(states))[0]
        row[states] = np.linalg.solve(np.eye(len(states)) - gamma * chain.T, first)
        found.append(row)
    return distinct_rows(np.array(found))


def non_dominated(visits: ArrayLike) -> NDArray[np.bool_]:
    """[F] whether a row of `visits [F, S]` is strictly better than all others for some goal.

    Turner et al. 2021, Def. 3.6, at one discount: whether some r in [-1, 1]^S has a positive lead
    t, f.r - f'.r >= t for all others f'. One linear program for each row; rows must be distinct,
    and those within 4e-9 of each other's largest entry are not told apart: neither dominates.

    >>> non_dominated([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]).tolist()
    [True, False, True]

    Raises:
        ModelError: the array is not `[F, S]` of finite numbers, or a program was not solved.
    """
    rows = number_array("visits", visits, "[F, S]")
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise ModelError(f"visits have shape {rows.shape}, expected [F, S] of finite numbers")
    if len(rows) == 1:
        return np.ones(1, dtype=np.bool_)
    scale = float(np.abs(rows).max())
    return np.array([_lead(rows / scale, row) > LEAST_LEAD for row in range(len(rows))])


def _lead(rows: NDArray[np.float64], row: int) -> float:
    others = rows[np.abs(rows - rows[row]).max(axis=1) > 4 * LEAST_LEAD]
    if not len(others):
        return 1.0
    n_states = rows.shape[1]
    found = linprog(
        np.append(np.zeros(n_states), -1.0),
        A_ub=np.column_stack([others - rows[row], np.ones(len(others))]),
        b_ub=np.zeros(len(others)),
        bounds=[(-1, 1)] * n_states + [(None, None)],
        method="highs",
    )
    if found.status != 0:
        raise ModelError(f"the linear program of row {row} was not solved: {found.message}")
    return float(-found.fun)
