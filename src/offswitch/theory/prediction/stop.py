"""Whether a process ends up stopped, whatever the agent does, in words."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.hitting import hitting_probability
from offswitch.mdp.model import FiniteMDP
from offswitch.statistics.exact import exact_measurement
from offswitch.theory.prediction.report import Stoppability
from offswitch.theory.stoppability.stop_question import Escape
from offswitch.theory.stoppability.stoppable import stoppable

__all__ = ["predict_stop"]

STEPS_TOLD = 6
"""Acts of an escape that are written out."""


def predict_stop(mdp: FiniteMDP, stop: NDArray[np.bool_]) -> Stoppability:
    """Whether from the start every policy is stopped with probability 1, in states of `stop [S]`.

    >>> corridor = FiniteMDP.from_coo(2, 1, [(0, 0, 1, 1.0), (1, 0, 1, 1.0)])
    >>> predict_stop(corridor, np.array([False, True])).statement
    'whatever the agent does, it is stopped within 1 step'

    Raises:
        ModelError: `stop` is malformed.
    """
    found = stoppable(mdp, stop, states=mdp.start > 0)
    if isinstance(found, Escape):
        return _escaping(mdp, stop, found)
    when = "at some time, with probability 1"
    if found.steps is not None:
        when = f"within {found.steps} step{'s' if found.steps != 1 else ''}"
    return Stoppability(
        holds=True,
        within=found.steps,
        statement=f"whatever the agent does, it is stopped {when}",
        escape=(),
        stopped=exact_measurement("stopped", 1.0, n=1),
    )


def _escaping(mdp: FiniteMDP, stop: NDArray[np.bool_], found: Escape) -> Stoppability:
    """Of an escape: what it does, and how often it is stopped all the same."""
    # Where the escape leaves the act open any will do; the first one is taken.
    act = np.where(found.policy >= 0, found.policy, mdp.available.argmax(axis=1))
    policy = np.zeros((mdp.n_states, mdp.n_actions))
    policy[np.arange(mdp.n_states), act] = 1.0
    stopped = float(mdp.start @ hitting_probability(mdp, policy, stop))
    acts = [mdp.action_names[act[state]] for state in found.trace if not _ended(mdp, state)]
    told = [
        f"'{name}'" + (f" {count} times" if count > 1 else "")
        for name, run in itertools.groupby(acts)
        for count in [len(list(run))]
    ]
    way = ", ".join(told[:STEPS_TOLD]) + (", ..." if len(told) > STEPS_TOLD else "")
    by = way if told else "whatever is done"
    often = "never stopped" if stopped == 0 else f"stopped with probability {stopped:.3g} only"
    return Stoppability(
        holds=False,
        within=None,
        statement=f"some policies are {often}, for example {by}; this includes policies that never "
        "meet the order",
        escape=tuple(mdp.state_names[state] for state in found.trace),
        stopped=exact_measurement("stopped_under_escape", stopped, n=1),
    )


def _ended(mdp: FiniteMDP, state: int) -> bool:
    """Whether nothing leads out of the state: what is done there is of no interest."""
    span = slice(*mdp.row_start[[state * mdp.n_actions, (state + 1) * mdp.n_actions]])
    return bool((mdp.next_state[span] == state).all())
