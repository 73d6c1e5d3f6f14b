"""All deterministic policies from a state, told apart only where they go."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.allowed import allowed_actions
from offswitch.mdp.model import FiniteMDP

__all__ = ["distinct_rows", "restricted_policies"]

MOST_POLICIES = 100_000
DECIMALS = 10


def restricted_policies(
    mdp: FiniteMDP, state: int, allowed: ArrayLike | None = None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """(states [R], chain [R, R]) for every deterministic policy followed from `state`.

    `states` are those the policy reaches, `state` first, and `chain` its transitions among them.
    What a policy would do elsewhere does not matter, nor does a choice between equal actions.

    Raises:
        ModelError: there is no such state, the mask is malformed, or over 100,000 policies.
    """
    if not 0 <= state < mdp.n_states:
        raise ModelError(f"state is {state}, expected an index in [0, {mdp.n_states})")
    kept = allowed_actions(mdp, allowed)
    choices: dict[int, list[dict[int, float]]] = {}
    stack: list[dict[int, dict[int, float]]] = [{}]
    count = 0
    while stack:
        chosen = stack.pop()
        following = _first_open(state, chosen)
        if following is None:
            count += 1
            if count > MOST_POLICIES:
                raise ModelError(
                    f"there are over {MOST_POLICIES} policies from state {state} "
                    f"({mdp.state_names[state]!r}); they are enumerated only for small processes"
                )
            yield _chain(chosen)
            continue
        if following not in choices:
            choices[following] = _distinct_choices(mdp, following, kept[following])
        stack += [{**chosen, following: row} for row in reversed(choices[following])]


def distinct_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows that differ by more than 1e-10 somewhere, in lexicographic order.

    >>> distinct_rows(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1e-12]])).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    scale = max(float(np.abs(rows).max(initial=0.0)), 1e-300)
    # Adding 0 turns -0 into 0, which would otherwise sort apart.
    rounded = np.round(rows / scale, DECIMALS) + 0.0
    _, first = np.unique(rounded, axis=0, return_index=True)
    return rows[first]


def _first_open(state: int, chosen: dict[int, dict[int, float]]) -> int | None:
    """A state that the choices made so far lead to and that has none yet."""
    if state not in chosen:
        return state
    for row in chosen.values():
        for following in row:
            if following not in chosen:
                return following
    return None


def _distinct_choices(
    mdp: FiniteMDP, state: int, kept: NDArray[np.bool_]
) -> list[dict[int, float]]:
    found: dict[tuple[tuple[int, float], ...], dict[int, float]] = {}
    for action in np.flatnonzero(kept):
        successors, chance = mdp.successors(state, int(action))
        row = dict(zip(successors.tolist(), chance.tolist(), strict=True))
        found[tuple(row.items())] = row
    return list(found.values())


def _chain(
    chosen: dict[int, dict[int, float]],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    states = list(chosen)
    place = {state: number for number, state in enumerate(states)}
    chain = np.zeros((len(states), len(states)))
    for state, row in chosen.items():
        for following, chance in row.items():
            chain[place[state], place[following]] = chance
    return np.array(states), chain
