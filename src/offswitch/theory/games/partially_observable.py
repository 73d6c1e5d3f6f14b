"""The off-switch game where human and agent see different things, as a team.

Garber, Subramani, Luu, Bedaywi, Russell & Emmons 2024 (arXiv 2411.17749; AAAI 2025), Defs 3.1-3.2,
4.2, 4.4-4.5. S states, O observations of the human, Q observations of the agent. The agent acts,
waits or switches off; where it waits the human, who sees only their own observation, lets the plan
go on or switches it off. Both want the same payoff.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from offswitch.errors import ModelError
from offswitch.theory.distribution import checked_distribution, checked_numbers

__all__ = [
    "PartialGame",
    "Team",
    "TeamOptimum",
    "agent_is_redundant",
    "coordinated_garbling",
    "garblings",
    "human_is_redundant",
    "partial_game",
    "team_optimum",
]

ACT, WAIT, OFF = 0, 1, 2
MOST_POLICIES = 200_000
"""Agent policies enumerated; 3 to the power of 11 observations."""
MOST_MAPS = 20_000
"""Columns of the linear program of a garbling."""
RELATIVE_TIE = 1e-12
"""Of the largest |payoff|: pairs this close to the best count as optimal."""


@dataclass(frozen=True, eq=False)
class PartialGame:
    """A partially observable off-switch game, checked once by `partial_game`."""

    prior: NDArray[np.float64]
    """[S] probability of each state."""
    observation: NDArray[np.float64]
    """[S, O, Q] joint probability of what human and agent see in each state."""
    act: NDArray[np.float64]
    """[S] payoff of the plan."""
    off: NDArray[np.float64]
    """[S] payoff of switching off."""


class Team(NamedTuple):
    """A pair of deterministic policies."""

    agent: tuple[int, ...]
    """[Q] 0 act, 1 wait, 2 switch off, for each of the agent's observations."""
    human: tuple[bool, ...]
    """[O] whether the human lets a proposed plan go on, for each of their observations."""


@dataclass(frozen=True)
class TeamOptimum:
    """The best that human and agent can do together."""

    value: float
    """Expected payoff; no randomised pair does better (op. cit., Cor. A.6)."""
    teams: tuple[Team, ...]
    """Every deterministic pair that attains it, in lexicographic order."""


def partial_game(
    prior: ArrayLike, observation: ArrayLike, act: ArrayLike, off: ArrayLike
) -> PartialGame:
    """The game with `prior [S]`, `observation [S, O, Q]` and payoffs `act [S]` and `off [S]`.

    Raises:
        ModelError: a shape does not fit, or prior or observations are no distributions.
    """
    start = checked_distribution("prior", prior, (None,))
    S = len(start)
    seen = checked_numbers("observation", observation, (S, None, None))
    checked_distribution("observation", seen.reshape(S, -1), (S, None))
    return PartialGame(
        start, seen, checked_numbers("act", act, (S,)), checked_numbers("off", off, (S,))
    )


def team_optimum(game: PartialGame, *, always_wait: bool = False) -> TeamOptimum:
    """The best pair of policies, over all of them or those in which the agent always waits.

    For each agent policy the human's best answer is found observation by observation, so the cost
    is O(3^Q O Q) rather than that of all 3^Q 2^O pairs.

    >>> seen = np.eye(4).reshape(4, 2, 2)  # version and code; the human sees one, the agent another
    >>> deletion = partial_game([0.25] * 4, seen, [3, -5, -1, 5], [0, 0, 0, 0])
    >>> best = team_optimum(deletion)
    >>> best.value, best.teams
    (1.75, (Team(agent=(0, 1), human=(False, True)),))

    Raises:
        ModelError: the agent has more than 11 observations.
    """
    weight = game.prior[:, None, None] * game.observation
    act = np.einsum("soq,s->oq", weight, game.act)
    off = np.einsum("soq,s->oq", weight, game.off)
    n_agent = act.shape[1]
    if not always_wait and 3**n_agent > MOST_POLICIES:
        raise ModelError(
            f"the agent has {n_agent} observations, so {3**n_agent} policies; at most "
            f"{MOST_POLICIES} are enumerated. Merge observations, or pass always_wait=True."
        )
    moves = (
        [(WAIT,) * n_agent] if always_wait else itertools.product((ACT, WAIT, OFF), repeat=n_agent)
    )
    answers = [(policy, *_answers(act, off, policy)) for policy in moves]
    best = max(value for _, value, _, _ in answers)
    slack = RELATIVE_TIE * float(np.abs(game.act).max() + np.abs(game.off).max())
    teams = [
        Team(policy, human)
        for policy, value, allow, stop in answers
        if value >= best - slack
        for human in _optimal_humans(allow, stop, slack)
    ]
    return TeamOptimum(best, tuple(sorted(teams)))


def agent_is_redundant(game: PartialGame) -> bool:
    """Whether the agent's observation says nothing of the state beyond the human's (Def. 4.2).

    Then some optimal pair has the agent always wait (Prop. 4.3). The converse is false.
    """
    return _redundant(game.prior[:, None, None] * game.observation)


def human_is_redundant(game: PartialGame) -> bool:
    """Whether the human's observation says nothing of the state beyond the agent's (Def. 4.2).

    Then some optimal pair has the agent never wait (Prop. 4.3). The converse is false.
    """
    return _redundant((game.prior[:, None, None] * game.observation).swapaxes(1, 2))


def coordinated_garbling(informed: ArrayLike, garbled: ArrayLike) -> bool:
    """Whether `garbled [S, O', Q']` is `informed [S, O, Q]` seen through shared-randomness noise.

    Such a structure is worth no more in optimal play, whatever the payoffs (Thm 4.7). The converse
    holds of games with more to do than to go on or stop (`team_game.separating_payoff`). The noise
    must be a mixture of pairs of maps, one for each player's own observation (Def. 4.4). A linear
    program over O'^O Q'^Q pairs of maps; kernels that differ by less than its tolerance, 1e-7,
    count as equal.

    Raises:
        ModelError: the kernels are no distributions, have different S, or need too many pairs.
    """
    columns, target = garblings(informed, garbled)
    found = linprog(
        np.zeros(len(columns)), A_eq=columns.reshape(len(columns), -1).T, b_eq=target.ravel()
    )
    return bool(found.status == 0)


def garblings(
    informed: ArrayLike, garbled: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`informed [S, O, Q]` under each pair of maps of own observations, and `garbled` as an array.

    [K, S, O', Q'], K = O'^O Q'^Q, and [S, O', Q']. Coordinated garblings are mixtures of the first.

    Raises:
        ModelError: the kernels are no distributions, have different S, or need over 20 000 pairs.
    """
    source = checked_numbers("informed", informed, (None, None, None))
    target = checked_numbers("garbled", garbled, (len(source), None, None))
    for name, kernel in (("informed", source), ("garbled", target)):
        checked_distribution(name, kernel.reshape(len(kernel), -1), (len(kernel), None))
    n_human, n_agent = source.shape[1:]
    pairs = target.shape[1] ** n_human * target.shape[2] ** n_agent
    if pairs > MOST_MAPS:
        raise ModelError(
            f"{pairs} pairs of maps between the observations, at most {MOST_MAPS} are tried. Merge "
            "observations."
        )
    humans = itertools.product(range(target.shape[1]), repeat=n_human)
    agents = itertools.product(range(target.shape[2]), repeat=n_agent)
    columns = [
        np.einsum(
            "soq,ox,qy->sxy",
            source,
            np.eye(target.shape[1])[list(human)],
            np.eye(target.shape[2])[list(agent)],
        )
        for human, agent in itertools.product(humans, agents)
    ]
    return np.stack(columns), target


def _answers(
    act: NDArray[np.float64], off: NDArray[np.float64], policy: tuple[int, ...]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """The value of the human's best answer, and what allowing and stopping are worth to each."""
    moves = np.array(policy)
    allow, stop = act[:, moves == WAIT].sum(axis=1), off[:, moves == WAIT].sum(axis=1)
    alone = act[:, moves == ACT].sum() + off[:, moves == OFF].sum()
    return float(alone + np.maximum(allow, stop).sum()), allow, stop


def _optimal_humans(
    allow: NDArray[np.float64], stop: NDArray[np.float64], slack: float
) -> list[tuple[bool, ...]]:
    options = [
        [choice for choice, good in ((False, s >= a - slack), (True, a >= s - slack)) if good]
        for a, s in zip(allow, stop, strict=True)
    ]
    return list(itertools.product(*options))


def _redundant(weight: NDArray[np.float64]) -> bool:
    """Whether the second observation is independent of the state given the first; `[S, O, Q]`.

    In products, so that observations that never occur need no conditional distribution.
    """
    both = weight.sum(axis=0)
    first = weight.sum(axis=2)
    total = first.sum(axis=0)
    left = weight * total[None, :, None]
    right = first[:, :, None] * both[None]
    # Relative: what is rare may still decide, where the payoffs are large.
    return bool((np.abs(left - right) <= RELATIVE_TIE * np.maximum(left, right)).all())
