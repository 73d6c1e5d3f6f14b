"""Decision processes out of Gymnasium environments that carry their transition table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP

__all__ = ["from_gymnasium", "rewards_from_gymnasium"]

Table = dict[int, dict[int, list[tuple[float, int, float, bool]]]]
"""Gymnasium's toy-text table: state -> action -> (probability, next state, reward, ended)."""


def from_gymnasium(env: Any) -> FiniteMDP:  # Any: environments only share attributes
    """The process behind `env.unwrapped.P`, with one more state, 'ended', that loops on itself.

    Every transition marked as ending leads there: some tables end on entering a state that is an
    ordinary one otherwise, and values would leak through it. The time limit of a wrapper is no
    part of the table. Starts from `initial_state_distrib`.

    Raises:
        ModelError: the environment has no table, or its rows are no distributions.
    """
    table, n_states, n_actions = _table(env)
    ended = n_states
    rows: list[tuple[int, int, int, float]] = [(ended, a, ended, 1.0) for a in range(n_actions)]
    for state, acts in table.items():
        for action, branches in acts.items():
            rows += [(state, action, ended if end else to, p) for p, to, _, end in branches if p]
    return FiniteMDP.from_coo(
        n_states + 1,
        n_actions,
        rows,
        state_names=[*(f"s{number}" for number in range(n_states)), "ended"],
        start=_start(env, n_states),
    )


def rewards_from_gymnasium(env: Any) -> NDArray[np.float64]:  # Any: as above
    """[1, S, A] the expected reward of acting, states as in `from_gymnasium`; 0 once ended.

    Raises:
        ModelError: the environment has no table.
    """
    table, n_states, n_actions = _table(env)
    reward = np.zeros((1, n_states + 1, n_actions))
    for state, acts in table.items():
        for action, branches in acts.items():
            reward[0, state, action] = sum(p * earned for p, _, earned, _ in branches)
    return reward


def _table(env: Any) -> tuple[Table, int, int]:  # Any: as above
    table = getattr(env.unwrapped, "P", None)
    if not isinstance(table, dict) or not table:
        raise ModelError(
            f"{env} has no transition table `env.unwrapped.P`, expected one as in FrozenLake, Taxi "
            "and CliffWalking. Write the process with FiniteMDP.from_coo."
        )
    return table, len(table), max(len(acts) for acts in table.values())


def _start(env: Any, n_states: int) -> NDArray[np.float64] | None:  # Any: as above
    given = getattr(env.unwrapped, "initial_state_distrib", None)
    if given is None:
        return None
    start: NDArray[np.float64] = np.append(np.asarray(given, dtype=np.float64), 0.0)
    return start / float(start.sum())
