"""Policies, checked in one place, and the chains they make of a process."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError, problems_text
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.numbers import number_array

__all__ = ["checked_policy", "deterministic_policy", "policy_chain", "policy_reward"]

MASS_TOLERANCE = 1e-9
MAX_PROBLEMS_SHOWN = 20


def checked_policy(mdp: FiniteMDP, policy: ArrayLike) -> NDArray[np.float64]:
    """[S, A] the policy as float64: the probability of each action in each state.

    Raises:
        ModelError: lists the states whose row is no distribution over available actions.
    """
    chance = number_array("policy", policy, "[S, A]")
    shape = (mdp.n_states, mdp.n_actions)
    if chance.shape != shape:
        raise ModelError(
            f"policy has shape {chance.shape}, expected [S, A] = [{shape[0]}, {shape[1]}]. "
            "deterministic_policy(mdp, action) makes one of an action per state."
        )
    problems = _row_problems(mdp, chance)
    if problems:
        raise ModelError(problems_text("policy", problems))
    return chance


def deterministic_policy(mdp: FiniteMDP, action: ArrayLike) -> NDArray[np.float64]:
    """[S, A] the policy that takes `action [S]`.

    Raises:
        ModelError: it takes an unavailable action.
    """
    taken = np.asarray(action)
    shape = (mdp.n_states,)
    if taken.shape != shape or taken.dtype.kind not in "iu" or not _inside(taken, mdp.n_actions):
        raise ModelError(
            f"action has shape {taken.shape} of {taken.dtype}, expected [S] = [{mdp.n_states}] "
            f"whole numbers in [0, {mdp.n_actions})"
        )
    return checked_policy(mdp, np.eye(mdp.n_actions)[taken])


def policy_chain(mdp: FiniteMDP, policy: NDArray[np.float64]) -> sp.csr_array[Any, Any]:
    """[S, S] the probability of the next state when actions follow a checked `policy [S, A]`."""
    S, A = policy.shape
    columns = np.arange(S * A)
    choice = sp.csr_array((policy.ravel(), columns, np.arange(0, S * A + 1, A)), shape=(S, S * A))
    chain = choice @ mdp.matrix
    chain.eliminate_zeros()
    return chain


def policy_reward(policy: NDArray[np.float64], reward: NDArray[np.float64]) -> NDArray[np.float64]:
    """[K, S] the expected reward of acting; `reward` is `[K, S, 1]` or `[K, S, A]`."""
    earned: NDArray[np.float64] = (policy * reward).sum(axis=2)
    return earned


def _inside(taken: NDArray[Any], n_actions: int) -> bool:
    return bool(((taken >= 0) & (taken < n_actions)).all())


def _row_problems(mdp: FiniteMDP, chance: NDArray[np.float64]) -> list[str]:
    bad_number = ~((chance >= 0) & (chance <= 1 + MASS_TOLERANCE))
    forbidden = (chance > 0) & ~mdp.available
    sums = chance.sum(axis=1)
    bad_sum = ~(np.abs(sums - 1) <= MASS_TOLERANCE) & ~bad_number.any(axis=1)
    problems = [
        f"{_where(mdp, s, a)} has probability {chance[s, a]:g}, expected a number in [0, 1]"
        for s, a in np.argwhere(bad_number)
    ]
    problems += [
        f"{_where(mdp, s, a)} has probability {chance[s, a]:g} but is unavailable there. Give its "
        "mass to the available actions."
        for s, a in np.argwhere(forbidden)
    ]
    problems += [
        f"policy[{s}] (state {mdp.state_names[s]!r}) sums to {sums[s]:.9g}, expected 1. "
        "Normalise the row."
        for s in np.flatnonzero(bad_sum)
    ]
    hidden = len(problems) - MAX_PROBLEMS_SHOWN
    return problems[:MAX_PROBLEMS_SHOWN] + ([f"and {hidden} more"] if hidden > 0 else [])


def _where(mdp: FiniteMDP, state: int, action: int) -> str:
    return (
        f"policy[{state}, {action}] (state {mdp.state_names[state]!r}, action "
        f"{mdp.action_names[action]!r})"
    )
