"""The least probability with which an agent is stopped, over all of its policies."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.theory.stoppability.stop_question import (
    Escape,
    StopCertificate,
    StopQuestion,
    leading_into,
)

__all__ = ["probability_answer"]

UNDECIDED = 1e-9
"""Distance between the asked and the least probability at which rounding might decide."""
EPS = float(np.finfo(np.float64).eps)


def probability_answer(question: StopQuestion) -> StopCertificate | Escape:
    """Whether the least probability of being stopped is at least the one asked.

    Within a number of steps by backward induction; for ever by policy iteration.

    Raises:
        ModelError: the two are within 1e-9 of each other, or it is asked for ever with an operator.
    """
    if question.within is None and question.operator.any():
        raise ModelError(
            "a probability below 1 is asked with an operator and no `within`: give a number of "
            "steps, or ask for probability 1"
        )
    found = _for_ever(question) if question.within is None else _within(question)
    lower, acts = found
    least = float(lower[-1][question.states].min(initial=1.0))
    if least >= question.probability:
        told = question.operator & ~question.stopped & bool(len(acts))
        choice = np.where(told, acts[0] if len(acts) else -1, -1)
        return StopCertificate("with-probability", least, question.within, None, lower, choice)
    if least > question.probability - UNDECIDED:
        raise ModelError(
            f"the least probability is within {UNDECIDED:g} of {question.probability!r}, too close "
            "to decide. Ask for a little less, or a little more."
        )
    worst = np.where(question.states, lower[-1], 2.0)
    return _escape(question, acts, int(np.argmin(worst)), lower)


def _yield(question: StopQuestion, value: NDArray[np.float64]) -> NDArray[np.float64]:
    """[S, A] probability of being stopped after each act; NaN where it is unavailable."""
    mdp = question.mdp
    worth = np.asarray(mdp.matrix @ value).reshape(mdp.n_states, mdp.n_actions)
    return np.where(mdp.available, np.where(question.pressed, 1.0, worth), np.nan)


def _within(question: StopQuestion) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """[h + 1, S] lower bounds with 0 to h steps left, rounded down, and [h, S] acts by time."""
    assert question.within is not None
    terms = int(np.diff(question.mdp.row_start).max()) + 2
    lower = [question.stopped.astype(np.float64)]
    acts = []
    for _ in range(question.within):
        worth = _yield(question, lower[-1])
        signed = np.where(question.operator[:, None], -worth, worth)
        acts.append(np.nanargmin(signed, axis=1))
        best = np.take_along_axis(worth, acts[-1][:, None], axis=1)[:, 0]
        lower.append(np.where(question.stopped, 1.0, np.maximum(best - 2 * terms * EPS, 0.0)))
    shape = (len(acts), question.mdp.n_states)
    return np.array(lower), np.array(acts[::-1], dtype=np.int64).reshape(shape)


def _for_ever(question: StopQuestion) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """[1, S] lower bounds and [1, S] acts of a policy that attains them but for rounding.

    Where the agent can stay away for ever the probability is 0. Elsewhere every policy is at last
    stopped or gets there, so the equations have one solution (Baier & Katoen 2008, Thm 10.100), and
    x - slack * w is below it by construction, w the longest expected time until then.
    """
    free = _staying_away(question)
    open_states = ~free & ~question.stopped
    base = question.stopped.astype(np.float64)
    value, policy = _iterate(question, open_states, base, 0.0, sense=1)
    time, _ = _iterate(question, open_states, np.zeros_like(base), 1.0, sense=-1)
    best = np.nanmin(_yield(question, value), axis=1)
    terms = int(np.diff(question.mdp.row_start).max()) + 2
    residual = float(np.maximum(value - best, 0)[open_states].max(initial=0.0))
    slack = 2 * residual + 4 * terms * EPS
    lower = np.where(open_states, np.maximum(value - slack * (time + 1), 0.0), base)
    keeps = _keeping(question, free)
    policy[free] = keeps[free].argmax(axis=1)
    return lower[None], policy[None]


def _keeping(question: StopQuestion, free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[S, A] acts that are no press and surely stay among the `free` states."""
    mdp = question.mdp
    kept: NDArray[np.bool_] = mdp.available & ~question.pressed & ~leading_into(mdp, ~free)
    return kept


def _staying_away(question: StopQuestion) -> NDArray[np.bool_]:
    """[S] states from which the agent can surely never be stopped."""
    free = ~question.stopped
    while True:
        kept = free & _keeping(question, free).any(axis=1)
        if (kept == free).all():
            return free
        free = kept


def _iterate(
    question: StopQuestion,
    open_states: NDArray[np.bool_],
    base: NDArray[np.float64],
    step: float,
    *,
    sense: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Howard's policy iteration for what is reached (or, with `step`, how long it takes).

    Minimises with `sense` 1, maximises with -1; values outside the open states are `base`.
    """
    mdp = question.mdp
    inside = np.flatnonzero(open_states)
    reward = np.where(question.pressed, 1.0 - step, 0.0) + step
    policy = mdp.available.argmax(axis=1)
    matrix = mdp.matrix
    value = base.copy()
    while True:
        rows = inside * mdp.n_actions + policy[inside]
        taken = question.pressed.ravel()[rows]
        chain = sp.diags_array((~taken).astype(np.float64)) @ matrix[rows]
        gain = reward.ravel()[rows]
        system = (sp.eye_array(len(inside)) - chain[:, inside]).tocsc()
        if len(inside):
            value[inside] = spla.splu(system).solve(gain + chain @ np.where(open_states, 0, base))
        worth = np.where(question.pressed, 0.0, np.asarray(matrix @ value).reshape(reward.shape))
        worth = np.where(mdp.available, sense * (worth + reward), np.inf)
        better = worth.argmin(axis=1)
        now = np.take_along_axis(worth, policy[:, None], axis=1)[:, 0]
        gained = open_states & (worth.min(axis=1) < now - 1e-12 * (1 + np.abs(now)))
        if not gained.any():
            return value, policy
        policy = np.where(gained, better, policy)


def _escape(
    question: StopQuestion, acts: NDArray[np.int64], start: int, lower: NDArray[np.float64]
) -> Escape:
    """The escape, with the likeliest next state that is least likely to be stopped as its trace."""
    mdp, within = question.mdp, question.within
    trace, loop, time = [start], None, 0
    while within is None or time < within:
        act = int(acts[min(time, len(acts) - 1), trace[-1]])
        if question.pressed[trace[-1], act]:
            break
        following, chance = mdp.successors(trace[-1], act)
        left = lower[-1] if within is None else lower[within - time - 1]
        alive = chance * (1 - left[following]) * ~question.stopped[following]
        if not alive.any():
            break
        state = int(following[np.argmax(alive)])
        if within is None and state in trace:
            loop = trace.index(state)
            break
        trace.append(state)
        time += 1
    policy = np.where(question.operator | question.stopped, -1, acts)
    chance_stopped = None if question.operator.any() else float(lower[-1][start])
    return Escape(
        "with-probability", policy if within is not None else policy[0], tuple(trace), loop,
        chance_stopped,
    )  # fmt: skip
