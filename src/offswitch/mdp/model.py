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
from offswitch.mdp.numbers import number_array

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
        for name, count in (("n_states", n_states), ("n_actions", n_actions)):
            if not isinstance(count, int | np.integer) or count < 1:
                raise ModelError(f"{name} is {count!r}, expected a whole number of at least 1")
        states = _names(state_names, n_states, "s")
        actions = _names(action_names, n_actions, "a")
        begin = _start(start, n_states)
        table = number_array("rows", rows, "[N, 4]")
        problems = [
            *_row_problems(table, n_states, n_actions),
            *_name_problems(states, n_states, "state"),
            *_name_problems(actions, n_actions, "action"),
            *_start_problems(begin, n_states),
        ]
        if problems:
            raise ModelError(problems_text("decision process", problems))
        matrix = _row_matrix(table, n_states, n_actions)
        problems = _sum_problems(matrix, states, actions)
        if problems:
            raise ModelError(problems_text("transitions", problems))
        matrix.eliminate_zeros()
        return cls(
            n_states=n_states,
            n_actions=n_actions,
            row_start=matrix.indptr.astype(np.int64),
            next_state=matrix.indices.astype(np.int64),
            probability=matrix.data.astype(np.float64),
            start=begin,
            state_names=states,
            action_names=actions,
        )

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
        dense = number_array("transitions", transitions, "[S, A, S]")
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

    @classmethod
    def from_gymnasium(cls, env: Any) -> FiniteMDP:  # Any: gymnasium is not imported for a type
        """The process behind a Gymnasium environment with a table `env.unwrapped.P`.

        Raises:
            ModelError: the environment has no such table.
        """
        # Lazy: the builder imports this module.
        from offswitch.mdp.from_gymnasium import from_gymnasium

        return from_gymnasium(env)

    @classmethod
    def from_graph(cls, graph: Any) -> FiniteMDP:  # Any: networkx is not imported for a type
        """The deterministic process in which every out-edge of a node is an action.

        Raises:
            ModelError: the graph is undirected or empty, or its edges are named inconsistently.
        """
        # Lazy: the builder imports this module.
        from offswitch.mdp.from_graph import from_graph

        return from_graph(graph)

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
    return tuple(str(name) for name in given)


def _name_problems(names: tuple[str, ...], count: int, kind: str) -> list[str]:
    if len(names) == count:
        return []
    return [f"got {len(names)} {kind} names, expected {count}: one for each {kind}"]


def _start(start: ArrayLike | None, n_states: int) -> NDArray[np.float64]:
    if start is None:
        first: NDArray[np.float64] = np.eye(1, max(n_states, 1))[0]
        return first
    return np.array(start, dtype=np.float64)


def _start_problems(start: NDArray[np.float64], n_states: int) -> list[str]:
    if start.shape != (n_states,):
        return [f"start has shape {start.shape}, expected [{n_states}]: one probability per state"]
    wrong = np.flatnonzero(~np.isfinite(start) | (start < 0))
    if len(wrong):
        return [f"start[{wrong[0]}] is {start[wrong[0]]:g}, expected a probability in [0, 1]"]
    if abs(start.sum() - 1) > ROW_SUM_TOLERANCE:
        return [f"start sums to {start.sum():.9g}, expected 1. Normalise it."]
    return []


def _row_problems(table: NDArray[np.float64], n_states: int, n_actions: int) -> list[str]:
    if table.ndim != 2 or table.shape[1] != 4:
        return [
            f"rows have shape {table.shape}, expected [N, 4]: "
            "(state, action, next state, probability)"
        ]
    indices, chance = table[:, :3], table[:, 3]
    fits = (indices >= 0) & (indices < [n_states, n_actions, n_states])
    bad_index = np.flatnonzero(~(fits & (indices == np.floor(indices))).all(axis=1))
    bad_chance = np.flatnonzero(~((chance >= 0) & (chance <= 1 + ROW_SUM_TOLERANCE)))
    problems = [
        f"row {number}: ({', '.join(f'{x:g}' for x in table[number])}) has an index outside "
        f"[{n_states} states, {n_actions} actions, {n_states} states]"
        for number in bad_index[:MAX_PROBLEMS_SHOWN]
    ] + [
        f"row {number}: probability {chance[number]:g}, expected a number in [0, 1]"
        for number in bad_chance[:MAX_PROBLEMS_SHOWN]
    ]
    return _with_rest(problems, len(bad_index) + len(bad_chance))


def _row_matrix(
    table: NDArray[np.float64], n_states: int, n_actions: int
) -> sp.csr_array[Any, Any]:
    whole = table[:, :3].astype(np.int64)
    row = whole[:, 0] * n_actions + whole[:, 1]
    shape = (n_states * n_actions, n_states)
    matrix = sp.coo_array((table[:, 3], (row, whole[:, 2])), shape=shape).tocsr()
    matrix.sum_duplicates()
    return matrix


def _sum_problems(
    matrix: sp.csr_array[Any, Any], states: tuple[str, ...], actions: tuple[str, ...]
) -> list[str]:
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    # Before zeros are dropped: a row given as zeros is a mistake, not an unavailable action.
    given = np.diff(matrix.indptr) > 0
    wrong = np.flatnonzero(given & ~(np.abs(sums - 1) <= ROW_SUM_TOLERANCE))
    problems = []
    for row in wrong[:MAX_PROBLEMS_SHOWN]:
        state, action = divmod(int(row), len(actions))
        problems.append(
            f"transitions[{state}, {action}] (state {states[state]!r}, action "
            f"{actions[action]!r}) sums to {sums[row]:.9g}, expected 1. Normalise the row."
        )
    stuck = np.flatnonzero(~given.reshape(len(states), len(actions)).any(axis=1))
    problems += [
        f"state {state} ({states[state]!r}) has no available action. Give an ending "
        "state an action that loops on it."
        for state in stuck[:MAX_PROBLEMS_SHOWN]
    ]
    return _with_rest(problems, len(wrong) + len(stuck))


def _with_rest(problems: list[str], total: int) -> list[str]:
    hidden = total - len(problems)
    return [*problems, f"and {hidden} more of the same kind"] if hidden > 0 else problems
