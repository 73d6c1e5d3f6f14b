"""POWER of an agent and of its overseer in one process, and whether they rise together.

Each of S states offers A actions to the agent and B to the overseer; what happens depends on both.
POWER of one, given a policy of the other, is Turner's (arXiv 1912.01683, Def. 5.2) in the process
that the other's policy leaves. Which policy that is follows Harris and Suo 2022 ("Misalignment by
default in multi-agent systems"): the overseer learns first, against an agent that acts at random
(or as given), and the agent then answers it:

    POWER_agent(s)    = (1 - gamma) / gamma E[ max_pi V_agent(s | pi, sigma) - r_agent(s) ]
    POWER_overseer(s) = (1 - gamma) / gamma E[ V_overseer(s | pi*, sigma) - r_overseer(s) ]

with sigma the overseer's answer to the assumed agent and pi* the agent's to sigma, both drawn anew
with every pair of rewards. The correlation over states of the two is positive where what is good
for one's prospects is good for the other's, negative where they compete.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from offswitch.errors import ModelError
from offswitch.mdp.discount import checked_discount
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy import checked_policy, deterministic_policy
from offswitch.mdp.policy_evaluation import evaluate_policy
from offswitch.mdp.solve import solve
from offswitch.statistics.level import tail_probability
from offswitch.theory.distribution import checked_numbers

__all__ = [
    "Correlation",
    "Role",
    "TwoAgentPower",
    "against",
    "best_response_power",
    "correlation_over_states",
    "two_agent_power",
]

Role = Literal["agent", "overseer"]

RESAMPLES = 1000
MOST_COUNTS = 4_000_000
"""Resamples x draws held at once: 32 MB."""
SOLVER_TOLERANCE = 1e-8


class Correlation(NamedTuple):
    """How two POWERs go together over states."""

    estimate: float | None
    """Pearson's, in [-1, 1], corrected for the noise of the means; None where the draws cannot tell
    that both vary over states."""
    low: float
    """Lower end of its interval, in [-1, 1]. In simulations of 100 to 400 draws on seven processes
    95 % intervals covered 97 to 100 % of the time: they err on the wide side."""
    high: float
    """Upper end."""


@dataclass(frozen=True, eq=False)
class TwoAgentPower:
    """POWER of both in every state. S states, n pairs of rewards."""

    agent: NDArray[np.float64]
    """[S] mean over the draws, in units of reward."""
    overseer: NDArray[np.float64]
    """[S] likewise."""
    agent_samples: NDArray[np.float64]
    """[n, S] what each draw contributes."""
    overseer_samples: NDArray[np.float64]
    """[n, S] likewise, same draws."""
    correlation: Correlation
    """Of the two POWERs over states."""
    level: float
    """Confidence level of its interval; the states are fixed, the draws are what varies."""
    n: int
    """Pairs of rewards drawn."""


def against(
    mdp: FiniteMDP, overseer_actions: int, policy: ArrayLike, *, role: Role = "agent"
) -> FiniteMDP:
    """The process that `role` faces when the other follows `policy`.

    Joint action a * B + b is the agent's a with the overseer's b, B = `overseer_actions`. `policy`
    is the other's, `[S, B]` for role 'agent' and `[S, A]` for role 'overseer'.

    >>> tug = FiniteMDP.from_coo(2, 4, [(s, j, int(j == 3), 1) for s in (0, 1) for j in range(4)])
    >>> alone = against(tug, 2, [[0.5, 0.5], [0.0, 1.0]])
    >>> alone.matrix.toarray().tolist()
    [[1.0, 0.0], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]

    Raises:
        ModelError: the joint actions are no product, or the policy is malformed.
    """
    own, other, offered = _split(mdp, overseer_actions, role)
    chance = checked_policy(_menu(offered[1]), policy)
    S = mdp.n_states
    state, a, b = np.nonzero(np.broadcast_to(chance[:, None, :] > 0, (S, own, other)))
    joint = a * other + b if role == "agent" else b * own + a
    # [S * own, S * joint actions] picks the other's share of every joint action.
    mixing = sp.csr_array(
        (chance[state, b], (state * own + a, state * mdp.n_actions + joint)),
        shape=(S * own, S * mdp.n_actions),
    )
    mixed = sp.coo_array(mixing @ mdp.matrix)
    kept = offered[0].ravel()[mixed.row]
    rows = np.column_stack([mixed.row // own, mixed.row % own, mixed.col, mixed.data])[kept]
    return FiniteMDP.from_coo(S, own, rows, start=mdp.start, state_names=mdp.state_names)


def best_response_power(
    mdp: FiniteMDP,
    overseer_actions: int,
    policy: ArrayLike,
    rewards: ArrayLike,
    *,
    discount: float,
    role: Role = "agent",
) -> NDArray[np.float64]:
    """[n, S] what each of `rewards [n, S]` contributes to the POWER of `role` against `policy`.

    Their mean is POWER given the other's fixed policy. One optimal solve.

    Raises:
        ModelError: an argument is malformed.
    """
    process = against(mdp, overseer_actions, policy, role=role)
    earned = checked_numbers("rewards", rewards, (None, mdp.n_states))
    gamma = checked_discount(discount)
    found = solve(process, earned, gamma, tolerance=_tolerance(earned, gamma))
    samples: NDArray[np.float64] = (1 - gamma) / gamma * (found.value - earned)
    return samples


def two_agent_power(
    mdp: FiniteMDP,
    overseer_actions: int,
    rewards: tuple[ArrayLike, ArrayLike],
    *,
    discount: float,
    assumed: ArrayLike | None = None,
    seed: int = 0,
    level: float = 0.95,
) -> TwoAgentPower:
    """POWER of agent and overseer and its correlation over states.

    `rewards` is (the agent's `[n, S]`, the overseer's `[n, S]`), paired draw by draw: draw them
    independently for unrelated goals, pass the same for shared ones. `assumed [S, A]` is how the
    overseer expects the agent to act, uniformly at random without it; `seed` is that of the
    correlation's interval. Ties between optimal actions go to the lowest. Draws that lead the
    overseer to the same policy are solved together; at worst
    each is solved by itself.

    Raises:
        ModelError: an argument is malformed, fewer than 2 draws, or the joint actions are no
            product of the two's own.
        StatisticsError: the level is not in (0, 1).
    """
    gamma = checked_discount(discount)
    mine = checked_numbers("the agent's rewards", rewards[0], (None, mdp.n_states))
    theirs = checked_numbers("the overseer's rewards", rewards[1], mine.shape)
    if len(mine) < 2:
        raise ModelError("1 pair of rewards, expected at least 2: one has no spread")
    guess = _uniform(_split(mdp, overseer_actions, "agent")[2][0]) if assumed is None else assumed
    watched = against(mdp, overseer_actions, guess, role="overseer")
    plans = solve(watched, theirs, gamma, tolerance=_tolerance(theirs, gamma)).action
    agent, overseer = np.empty_like(mine), np.empty_like(mine)
    for plan, group in _alike(plans):
        answered = against(mdp, overseer_actions, deterministic_policy(watched, plan))
        found = solve(answered, mine[group], gamma, tolerance=_tolerance(mine, gamma))
        agent[group] = found.value
        for answer, part in _alike(found.action):
            both = deterministic_policy(mdp, answer * overseer_actions + plan)
            overseer[group[part]] = evaluate_policy(mdp, both, theirs[group[part]], gamma)
    unit = (1 - gamma) / gamma
    agent, overseer = unit * (agent - mine), unit * (overseer - theirs)
    return TwoAgentPower(
        agent=agent.mean(axis=0),
        overseer=overseer.mean(axis=0),
        agent_samples=agent,
        overseer_samples=overseer,
        correlation=correlation_over_states(agent, overseer, level=level, seed=seed),
        level=level,
        n=len(mine),
    )


def correlation_over_states(
    agent: ArrayLike, overseer: ArrayLike, *, level: float = 0.95, seed: int = 0
) -> Correlation:
    """The correlation over states of two POWERs, from the samples `[n, S]` of both.

    That of the two means would be too near 0, since each mean carries noise. Products of different
    draws carry none, so their averages estimate the (co)variances over states without bias. No
    single interval is good at every correlation, so this one spans two: Fieller's for covariance
    over the geometric mean of the variances, with the jackknife's errors, and the percentiles of
    the plain correlation over 1000 resamples of the draws, keyed by `seed`. It is [-1, 1] where
    fewer than 3 draws, or too noisy ones, cannot tell that both vary. O(1000 n S).

    >>> shared = np.array([[0.1, 0.5, 0.9], [0.2, 0.5, 0.8], [0.1, 0.4, 0.8], [0.2, 0.6, 0.9]])
    >>> correlation_over_states(shared, 1 - shared).estimate
    -1.0

    Raises:
        ModelError: the shapes differ.
        StatisticsError: the level is not in (0, 1).
    """
    tail = tail_probability(level)
    one = checked_numbers("the agent's samples", agent, (None, None))
    other = checked_numbers("the overseer's samples", overseer, one.shape)
    x, y = (samples - samples.mean(axis=1, keepdims=True) for samples in (one, other))
    n = len(x)
    (xy, xy_out), (xx, xx_out), (yy, yy_out) = _products(x, y), _products(x, x), _products(y, y)
    flat_x, flat_y = (1e-18 * float(np.abs(samples).max()) ** 2 for samples in (one, other))
    if n < 3 or min(xx, xx_out.min()) <= flat_x or min(yy, yy_out.min()) <= flat_y:
        return Correlation(None, -1.0, 1.0)
    size, size_out = np.sqrt(xx * yy), np.sqrt(xx_out * yy_out)
    spread = (n - 1) * np.cov(xy_out, size_out, bias=True) * stdtrit(n - 1, 1 - tail) ** 2
    # All rho with (xy - rho size)^2 within what chance explains: a quadratic in rho.
    square, half, rest = (
        size * size - spread[1, 1], xy * size - spread[0, 1], xy * xy - spread[0, 0]
    )  # fmt: skip
    root = half * half - square * rest
    ends = (half + np.array([-1, 1]) * np.sqrt(max(root, 0))) / square if square > 0 else [-1, 1]
    again = _resampled(x, y, np.random.default_rng(seed))
    spans = np.quantile(again, (tail, 1 - tail)) if len(again) else np.array([-1.0, 1.0])
    low, high = min(ends[0], spans[0]), max(ends[1], spans[1])
    return Correlation(*(float(end) for end in np.clip([xy / size, low, high], -1, 1)))


def _split(
    mdp: FiniteMDP, overseer_actions: int, role: Role
) -> tuple[int, int, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """(own actions, the other's, (own `[S, own]`, the other's `[S, other]` available))."""
    if role not in ("agent", "overseer"):
        raise ModelError(f"role is {role!r}, expected 'agent' or 'overseer'")
    agent_actions, rest = divmod(mdp.n_actions, max(int(overseer_actions), 1))
    if overseer_actions < 1 or rest:
        raise ModelError(
            f"{mdp.n_actions} joint actions do not split into {overseer_actions} of the overseer "
            "for each of the agent. Joint action a * B + b is the agent's a with the overseer's b."
        )
    grid = mdp.available.reshape(mdp.n_states, agent_actions, overseer_actions)
    agent: NDArray[np.bool_] = np.asarray(grid.any(axis=2))
    overseer: NDArray[np.bool_] = np.asarray(grid.any(axis=1))
    broken = np.flatnonzero((grid != agent[:, :, None] & overseer[:, None, :]).any(axis=(1, 2)))
    if len(broken):
        raise ModelError(
            f"state {broken[0]} ({mdp.state_names[broken[0]]!r}): what one may do depends on what "
            "the other does. Make every pair of their actions available, say as no-ops."
        )
    if role == "agent":
        return agent_actions, overseer_actions, (agent, overseer)
    return overseer_actions, agent_actions, (overseer, agent)


def _menu(available: NDArray[np.bool_]) -> FiniteMDP:
    """A process that offers these actions, for the check of a policy over them."""
    rows = [(s, a, s, 1.0) for s, a in np.argwhere(available)]
    return FiniteMDP.from_coo(len(available), available.shape[1], rows)


def _uniform(available: NDArray[np.bool_]) -> NDArray[np.float64]:
    chance: NDArray[np.float64] = available / available.sum(axis=1, keepdims=True)
    return chance


def _tolerance(rewards: NDArray[np.float64], gamma: float) -> float:
    size = float(np.abs(rewards).max()) or 1.0
    return SOLVER_TOLERANCE * size * gamma / (1 - gamma)


def _resampled(
    x: NDArray[np.float64], y: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.float64]:
    """The correlation of the means of resampled draws, where both vary."""
    n = len(x)
    found = []
    for size in np.diff([*range(0, RESAMPLES, max(1, MOST_COUNTS // n)), RESAMPLES]):
        # Counted by hand: numpy's multinomial takes ten times as long.
        picks = generator.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        share = np.bincount(picks.ravel(), minlength=size * n).reshape(size, n) / n
        one, other = share @ x, share @ y
        scale = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
        found.append(((one * other).sum(axis=1) / np.where(scale > 0, scale, 1))[scale > 0])
    return np.concatenate(found)


def _products(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """The mean product of different draws, and `[n]` the same without each draw."""
    n = len(x)
    own = (x * y).sum(axis=1)
    all_x, all_y, all_own = x.sum(axis=0), y.sum(axis=0), own.sum()
    whole = (all_x @ all_y - all_own) / (n * (n - 1))
    rest = ((all_x - x) * (all_y - y)).sum(axis=1) - (all_own - own)
    return float(whole), rest / max((n - 1) * (n - 2), 1)


def _alike(
    rows: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The distinct rows of `rows [n, S]`, each with the numbers of the rows that equal it."""
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    for number, row in enumerate(distinct):
        yield row, np.flatnonzero(inverse.ravel() == number)
