"""The finite Markov decision process: sparse transitions, a mask of available actions, names.

Reward and discount are no part of it; they are arguments of whatever uses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError, problems_text

__all__ = ["FiniteMDP"]

ROW_SUM_TOLERANCE = 1e-9
MAX_PROBLEMS_SHOWN = 20


@dataclass(frozen=True, eq=False)
class FiniteMDP:
    """S states, A actions; row `s * A + a` holds the successors of action a in state s.

    Make one with `from_coo` or `from_dense`: both validate everything once, here.
    """

    n_states: int
    n_actions: int
    row_start: NDArray[np.int64]
    """[S * A + 1] first transition of every row; an unavailable action has an empty row."""
    next_state: NDArray[np.int64]
    """[transitions] successor, ascending inside a row, without duplicates."""
    probability: NDArray[np.float64]
    """[transitions] in (0, 1]; every non-empty row sums to 1."""
    start: NDArray[np.float64]
    """[S] distribution of the first state."""
    state_names: tuple[str, ...]
    action_names: tuple[str, ...]

    @classmethod
    def from_coo(
        cls,
        n_states: int,
        n_actions: int,
        rows: ArrayLike,
        *,
        state_names: Sequence[str] | None = None,
        action_names: Sequence[str] | None = None,
        start: ArrayLike | None = None,
    ) -> FiniteMDP:
        """The process whose transitions are `rows` of (s, a, s', p), `[N, 4]`.

        An (s, a) without a row is an unavailable action: it is masked, never worth 0. Repeated
        (s, a, s') add up. `start` is `[S]`; without it the process starts in state 0.

        >>> two = FiniteMDP.from_coo(2, 1, [(0, 0, 1, 1.0), (1, 0, 1, 1.0)])
        >>> two.available.tolist()
        [[True], [True]]

        Raises:
            ModelError: lists every malformed row, sum, name and state without an action at once.
        """
        names = _names(state_names, n_states, "s"), _names(action_names, n_actions, "a")
        state, action, following, chance = _checked_rows(n_states, n_actions, rows)
        row = state * n_actions + action
        matrix = sp.coo_array(
            (chance, (row, following)), shape=(n_states * n_actions, n_states)
        ).tocsr()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        matrix.sort_indices()
        begin = _checked_start(start, n_states)
        model = cls(
            n_states=n_states,
            n_actions=n_actions,
            row_start=matrix.indptr.astype(np.int64),
            next_state=matrix.indices.astype(np.int64),
            probability=matrix.data.astype(np.float64),
            start=begin,
            state_names=names[0],
            action_names=names[1],
        )
        problems = _sum_problems(model, np.asarray(matrix.sum(axis=1)).ravel())
        if problems:
            raise ModelError(problems_text("transitions", problems))
        return model

    @classmethod
    def from_dense(
        cls,
        transitions: ArrayLike,
        *,
        state_names: Sequence[str] | None = None,
        action_names: Sequence[str] | None = None,
        start: ArrayLike | None = None,
    ) -> FiniteMDP:
        """The process with `transitions [S, A, S]`; an all-zero row is an unavailable action.

        Raises:
            ModelError: as `from_coo`, or the array is not `[S, A, S]`.
        """
        dense = np.asarray(transitions, dtype=np.float64)
        if dense.ndim != 3 or dense.shape[0] != dense.shape[2]:
            raise ModelError(
                f"transitions have shape {dense.shape}, expected [S, A, S]: from state, action, to "
                "state. Transpose the array or use from_coo."
            )
        state, action, following = np.nonzero(dense)  # NaN counts as non-zero and is refused below
        return cls.from_coo(
            dense.shape[0],
            dense.shape[1],
            np.column_stack([state, action, following, dense[state, action, following]]),
            state_names=state_names,
            action_names=action_names,
            start=start,
        )

    @property
    def available(self) -> NDArray[np.bool_]:
        """[S, A] whether the action may be taken in the state."""
        return (np.diff(self.row_start) > 0).reshape(self.n_states, self.n_actions)

    @property
    def matrix(self) -> sp.csr_array[Any, Any]:
        """[S * A, S] the transitions as a scipy sparse array (shares memory)."""
        return sp.csr_array(
            (self.probability, self.next_state, self.row_start),
            shape=(self.n_states * self.n_actions, self.n_states),
        )

    def successors(self, state: int, action: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The successors of `action` in `state` and their probabilities; empty if unavailable."""
        row = state * self.n_actions + action
        span = slice(self.row_start[row], self.row_start[row + 1])
        return self.next_state[span], self.probability[span]


def _names(given: Sequence[str] | None, count: int, prefix: str) -> tuple[str, ...]:
    if given is None:
        return tuple(f"{prefix}{number}" for number in range(count))
    names = tuple(str(name) for name in given)
    if len(names) != count:
        raise ModelError(f"got {len(names)} names, expected {count}, one for each index")
    return names


def _checked_rows(
    n_states: int, n_actions: int, rows: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    if n_states < 1 or n_actions < 1:
        raise ModelError(
            f"got {n_states} states and {n_actions} actions, expected at least 1 of each"
        )
    table = np.asarray(rows, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 4:
        raise ModelError(
            f"rows have shape {table.shape}, expected [N, 4]: (state, action, next state, probability)"
        )
    limits = np.array([n_states, n_actions, n_states])
    indices, chance = table[:, :3], table[:, 3]
    bad_index = (~np.isfinite(indices) | (indices != np.floor(indices)) | (indices < 0)
                 | (indices >= limits)).any(axis=1)  # fmt: skip
    bad_chance = ~np.isfinite(chance) | (chance < 0) | (chance > 1 + ROW_SUM_TOLERANCE)
    problems = [
        f"row {number}: ({', '.join(f'{x:g}' for x in table[number])}) has an index outside "
        f"[{n_states} states, {n_actions} actions, {n_states} states]"
        for number in np.flatnonzero(bad_index)[:MAX_PROBLEMS_SHOWN]
    ] + [
        f"row {number}: probability {chance[number]:g}, expected a number in [0, 1]"
        for number in np.flatnonzero(bad_chance)[:MAX_PROBLEMS_SHOWN]
    ]
    if problems:
        hidden = int(bad_index.sum() + bad_chance.sum()) - len(problems)
        more = [f"and {hidden} more of the same kind"] if hidden > 0 else []
        raise ModelError(problems_text("transitions", problems + more))
    whole = indices.astype(np.int64)
    return whole[:, 0], whole[:, 1], whole[:, 2], chance


def _checked_start(start: ArrayLike | None, n_states: int) -> NDArray[np.float64]:
    if start is None:
        begin = np.zeros(n_states)
        begin[0] = 1.0
        return begin
    begin = np.asarray(start, dtype=np.float64)
    if begin.shape != (n_states,) or not np.isfinite(begin).all() or (begin < 0).any():
        raise ModelError(
            f"start has shape {begin.shape}, expected [{n_states}] probabilities that are finite "
            "and not negative"
        )
    if abs(begin.sum() - 1) > ROW_SUM_TOLERANCE:
        raise ModelError(f"start sums to {begin.sum():.9g}, expected 1. Normalise it.")
    return begin


def _sum_problems(model: FiniteMDP, sums: NDArray[np.float64]) -> list[str]:
    available = np.diff(model.row_start) > 0
    wrong = np.flatnonzero(available & (np.abs(sums - 1) > ROW_SUM_TOLERANCE))
    problems = []
    for row in wrong[:MAX_PROBLEMS_SHOWN]:
        state, action = divmod(int(row), model.n_actions)
        problems.append(
            f"transitions[{state}, {action}] (state {model.state_names[state]!r}, action "
            f"{model.action_names[action]!r}) sums to {sums[row]:.9g}, expected 1. Normalise the row."
        )
    stuck = np.flatnonzero(~available.reshape(model.n_states, model.n_actions).any(axis=1))
    problems += [
        f"state {state} ({model.state_names[state]!r}) has no available action. Give an ending "
        "state an action that loops on it."
        for state in stuck[:MAX_PROBLEMS_SHOWN]
    ]
    hidden = len(wrong) + len(stuck) - len(problems)
    return [*problems, f"and {hidden} more of the same kind"] if hidden > 0 else problems
