"""Empowerment: how much an agent's next actions can tell about where it ends up.

Klyubin, Polani & Nehaniv 2005: the capacity of the channel from action sequences of length n to
the state after them, max over p(a_1..a_n) of I(A; S'), in bits. In a deterministic process it is
log2 of the number of states reachable in exactly n steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.distribution import checked_distribution

__all__ = ["Capacity", "Empowerment", "capacity", "empowerment", "sequence_channel"]

MOST_ENTRIES = 20_000_000
"""Distinct sequences x states held at once: 160 MB."""


@dataclass(frozen=True, eq=False)
class Capacity:
    """The capacity of a channel, bracketed. X inputs."""

    bits: float
    """Mutual information that `chance` attains: a lower bound."""
    gap: float
    """bits + gap is an upper bound, whether or not the tolerance was met."""
    chance: NDArray[np.float64]
    """[X] the distribution over inputs that attains it."""
    rounds: int
    """Rounds of the iteration."""


@dataclass(frozen=True, eq=False)
class Empowerment:
    """Empowerment of states, bracketed."""

    states: NDArray[np.int64]
    """[N] the states asked about."""
    bits: NDArray[np.float64]
    """[N] a lower bound; exact up to rounding where the process is deterministic."""
    gap: NDArray[np.float64]
    """[N] bits + gap is an upper bound; 0 where the process is deterministic."""
    steps: int
    """n, the length of the action sequences."""


def capacity(channel: ArrayLike, *, tolerance: float = 1e-9, most_rounds: int = 20_000) -> Capacity:
    """The capacity of `channel [X, Y]`, rows p(y | x), in bits, to within `tolerance`.

    Blahut 1972 and Arimoto 1972. For any input distribution with output q the capacity lies between
    I and max_x D(p(.|x) || q), so the iteration stops once these are `tolerance` apart, or after
    `most_rounds`, with the gap it has then. Equal rows count as one input. O(X Y) a round.

    >>> flip = capacity([[0.9, 0.1], [0.1, 0.9]])
    >>> round(flip.bits, 7), flip.chance.tolist()
    (0.5310044, [0.5, 0.5])

    Raises:
        ModelError: a row is no distribution, or the tolerance is not positive.
    """
    given = checked_distribution("channel", channel, (None, None))
    if not tolerance > 0 or most_rounds < 1:
        raise ModelError(
            f"tolerance is {tolerance} and most_rounds {most_rounds}, expected a positive number "
            "and at least 1"
        )
    rows, inverse, copies = np.unique(given, axis=0, return_inverse=True, return_counts=True)
    found = _iterate(rows, tolerance, most_rounds)
    spread = (found.chance / copies)[inverse.ravel()]
    return Capacity(found.bits, found.gap, spread, found.rounds)


def empowerment(
    mdp: FiniteMDP, state: int | None = None, *, steps: int, tolerance: float = 1e-9
) -> Empowerment:
    """n-step empowerment of `state`, or of every state, in bits, n = `steps`.

    Sequences are open-loop: chosen before the first step. One that may meet a state where its next
    action is unavailable cannot be chosen. Deterministic processes are counted, O(n transitions)
    for each state; in others up to A^n distinct sequences are enumerated.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> empowerment(fork, steps=2).bits.tolist()
    [1.0, 0.0, 0.0]

    Raises:
        ModelError: the state or the number of steps is out of range, no sequence can be chosen,
            or there are too many.
    """
    if state is not None and not 0 <= state < mdp.n_states:
        raise ModelError(f"state is {state}, expected a number in [0, {mdp.n_states})")
    _checked_steps(steps)
    states = np.arange(mdp.n_states) if state is None else np.array([state])
    if bool((np.diff(mdp.row_start) <= 1).all()):
        bits = np.log2([len(_reached(mdp, int(s), steps)) for s in states])
        return Empowerment(states, bits, np.zeros(len(states)), steps)
    found = [capacity(sequence_channel(mdp, int(s), steps), tolerance=tolerance) for s in states]
    bits = np.array([one.bits for one in found])
    return Empowerment(states, bits, np.array([one.gap for one in found]), steps)


def sequence_channel(mdp: FiniteMDP, state: int, steps: int) -> NDArray[np.float64]:
    """[X, S] the distinct distributions of the state after `steps` actions, one row for each.

    Sequences with the same effect so far are continued once.

    Raises:
        ModelError: as `empowerment`.
    """
    rows = np.eye(mdp.n_states)[[state]]
    available = mdp.available
    # [A] matrices [S, S]; rows of unavailable actions are empty and never used.
    moves = [mdp.matrix[np.arange(mdp.n_states) * mdp.n_actions + a] for a in range(mdp.n_actions)]
    for step in range(_checked_steps(steps)):
        ahead = []
        for action, move in enumerate(moves):
            blocked = (rows > 0) @ ~available[:, action]
            ahead.append((move.T @ rows[~blocked].T).T)
        reached = np.concatenate(ahead)
        if not len(reached):
            raise ModelError(
                f"no sequence of {steps} actions can be chosen in state {state} "
                f"({mdp.state_names[state]!r}): each may meet a state where its action number "
                f"{step + 1} is unavailable. Make actions available everywhere, say as no-ops."
            )
        rows = np.unique(reached, axis=0)
        if rows.size * mdp.n_actions > MOST_ENTRIES:
            raise ModelError(
                f"{len(rows)} distinct sequences after {step + 1} of {steps} steps over "
                f"{mdp.n_states} states; at most {MOST_ENTRIES // (mdp.n_states * mdp.n_actions)} "
                "are held. Ask for fewer steps."
            )
    return rows


def _iterate(rows: NDArray[np.float64], tolerance: float, most_rounds: int) -> Capacity:
    # Outputs that never occur take no part; the rest stay positive in q, and so does the log.
    rows = rows[:, rows.sum(axis=0) > 0]
    safe = np.where(rows > 0, rows, 1.0)
    entropy = (rows * np.log2(safe)).sum(axis=1)
    chance = np.full(len(rows), 1 / len(rows))
    rounds = 0
    while True:
        rounds += 1
        # An input that underflowed must not hide an output only it leads to.
        output = np.maximum(chance @ rows, np.finfo(np.float64).tiny)
        divergence = entropy - rows @ np.log2(output)
        bits = float(chance @ divergence)
        gap = float(divergence.max()) - bits
        if gap <= tolerance or rounds == most_rounds:
            return Capacity(max(bits, 0.0), max(gap, 0.0), chance, rounds)
        chance = chance * np.exp2(divergence - divergence.max())
        chance /= chance.sum()


def _reached(mdp: FiniteMDP, state: int, steps: int) -> NDArray[np.int64]:
    """The states that some sequence of exactly `steps` actions leads to."""
    here = np.array([state])
    for _ in range(steps):
        rows = (here[:, None] * mdp.n_actions + np.arange(mdp.n_actions)).ravel()
        begin, end = mdp.row_start[rows], mdp.row_start[rows + 1]
        following = np.unique(mdp.next_state[begin[end > begin]])
        if len(following) == len(here) and (following == here).all():
            break
        here = following
    return here


def _checked_steps(steps: int) -> int:
    if steps != steps // 1 or steps < 1:
        raise ModelError(f"steps is {steps}, expected a whole number of at least 1")
    return int(steps)
