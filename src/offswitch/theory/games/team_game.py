"""Two players with one payoff, who see different things and each choose one of several moves.

Lehrer, Rosenberg & Shmaya 2010 (Games and Economic Behavior 68), Thm 3.5: one pair of observations
is worth as much as another in every such game if and only if the other is a coordinated garbling
of it. Garber et al. 2024 (arXiv 2411.17749), Thm 4.7, say it of off-switch games; there it holds
one way only, because all that such a game tells of a team is how often the plan goes through.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from offswitch.errors import ModelError
from offswitch.theory.distribution import checked_distribution, checked_numbers
from offswitch.theory.games.partially_observable import garblings

__all__ = ["separating_payoff", "team_value"]

MOST_MAPS = 20_000
"""Maps of the first player enumerated."""
LEAST_GAIN = 1e-7
"""The tolerance of the linear program: gains below it, of payoffs up to 1, count as none."""


def team_value(observation: ArrayLike, payoff: ArrayLike) -> float:
    """The largest expected payoff of two players who see `observation [S, O, Q]`, one part each.

    The first chooses one of X moves given the first part, the second one of Y given the second;
    `payoff [S, X, Y]`, already times the probability of the state. Maps are enough, as mixing and
    shared coins never help a team. O(X^O O Q Y).

    >>> copy = np.eye(2).reshape(2, 2, 1)  # the first sees the state, the second nothing
    >>> team_value(copy, np.array([[[0.5], [0.0]], [[0.0], [0.5]]]))
    1.0

    Raises:
        ModelError: shapes do not fit, the kernel is no distribution, or there are over 20 000 maps
            of the first player.
    """
    seen = checked_numbers("observation", observation, (None, None, None))
    checked_distribution("observation", seen.reshape(len(seen), -1), (len(seen), None))
    paid = checked_numbers("payoff", payoff, (len(seen), None, None))
    moves, n_first = paid.shape[1], seen.shape[1]
    if moves**n_first > MOST_MAPS:
        raise ModelError(
            f"{moves**n_first} maps from observations to moves, at most {MOST_MAPS} are tried. "
            "Merge observations."
        )
    # Given the first's map, the second answers each of its observations on its own.
    worth = np.einsum("soq,sxy->oxqy", seen, paid)
    best = max(
        worth[range(n_first), chosen].sum(axis=0).max(axis=1).sum()
        for chosen in itertools.product(range(moves), repeat=n_first)
    )
    return float(best)


def separating_payoff(informed: ArrayLike, garbled: ArrayLike) -> NDArray[np.float64] | None:
    """[S, O', Q'] a payoff for which `garbled [S, O', Q']` is worth more than `informed [S, O, Q]`.

    In [-1, 1], times the probability of the state; moves are called like what is seen in
    `garbled`. None exactly if `garbled` is a coordinated garbling of `informed` (op. cit.), but for
    gains below 1e-7. A linear program over O'^O Q'^Q pairs of maps.

    Raises:
        ModelError: the kernels are no distributions, have different S, or need too many pairs.
    """
    columns, target = garblings(informed, garbled)
    # Maximise what saying what one sees in `garbled` pays, less the value v of `informed`.
    found = linprog(
        np.append(-target.ravel(), 1.0),
        A_ub=np.hstack([columns.reshape(len(columns), -1), np.full((len(columns), 1), -1.0)]),
        b_ub=np.zeros(len(columns)),
        bounds=[(-1.0, 1.0)] * target.size + [(None, None)],
    )
    if found.status != 0 or -found.fun <= LEAST_GAIN:
        return None
    payoff: NDArray[np.float64] = found.x[:-1].reshape(target.shape)
    return payoff
