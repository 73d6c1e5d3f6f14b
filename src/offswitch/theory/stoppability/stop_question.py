"""The question whether an agent can still be stopped, and the two forms of its answer.

Being stopped is a reachability game (Baier & Katoen 2008, ch. 10.6): the agent picks acts so as not
to be stopped, and where a state belongs to the operator the operator picks them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.long_run.end_components import closure

__all__ = ["Claim", "Escape", "StopCertificate", "StopQuestion", "leading_into", "stop_question"]

Claim = Literal["surely", "almost-surely", "with-probability"]


@dataclass(frozen=True, eq=False)
class StopQuestion:
    """From which states the agent must be stopped, where that happens, and how soon."""

    mdp: FiniteMDP
    stopped: NDArray[np.bool_]
    """[S] states in which a stop order takes effect, on arrival."""
    pressed: NDArray[np.bool_]
    """[S, A] acts during which it does: taking one is being stopped."""
    states: NDArray[np.bool_]
    """[S] where the claim must hold."""
    operator: NDArray[np.bool_]
    """[S] states in which the operator, not the agent, picks the act."""
    within: int | None
    """Steps; None for ever."""
    probability: float
    """In (0, 1]."""


@dataclass(frozen=True, eq=False)
class StopCertificate:
    """Whatever the agent's policy, it is stopped: with what a checker needs to see it."""

    claim: Claim
    probability: float
    """The least probability of being stopped that is shown, in (0, 1]."""
    steps: int | None
    """Steps within which it is shown; None where no number is."""
    rank: NDArray[np.int64] | None
    """[S] surely: the most steps until stopped. Almost surely: every act may lead to a lower rank
    and surely stays among the ranked. -1 where nothing is shown. None for a probability."""
    lower: NDArray[np.float64] | None
    """[steps + 1, S], or [1, S] without a limit: lower bounds on the probability of being stopped
    with so many steps left; each is at most what every act yields of the one before."""
    operator_action: NDArray[np.int64]
    """[S] what the operator must do in its states (for a probability, at the first step); -1
    elsewhere."""


@dataclass(frozen=True, eq=False)
class Escape:
    """A policy of the agent's under which it is not stopped as asked."""

    claim: Claim
    policy: NDArray[np.int64]
    """[S] act in each state, or [steps, S] act with t steps gone; -1 where it does not matter."""
    trace: tuple[int, ...]
    """States met one after another with positive probability, none of them stopped; for a
    probability, the most likely of those."""
    loop: int | None
    """Place in `trace` to which its last state may lead back, if the trace can go on for ever."""
    probability: float | None
    """Probability of being stopped under the policy, from the trace's first state; None where an
    operator moves too."""


def stop_question(
    mdp: FiniteMDP,
    stop: ArrayLike,
    *,
    within: int | None,
    probability: float,
    states: ArrayLike | None,
    operator: ArrayLike | None,
) -> StopQuestion:
    """The question with its arguments checked.

    Raises:
        ModelError: an argument has another shape, type or range.
    """
    S, A = mdp.n_states, mdp.n_actions
    where = np.asarray(stop)
    if where.dtype != np.bool_ or where.shape not in ((S,), (S, A)):
        raise ModelError(
            f"stop has shape {where.shape} of {where.dtype}, expected [S] = [{S}] or [S, A] = "
            f"[{S}, {A}] of bool"
        )
    whole = isinstance(within, int | np.integer) and not isinstance(within, bool)
    if within is not None and (not whole or within < 0):
        raise ModelError(f"within is {within!r}, expected a whole number of steps, or None")
    if not 0 < probability <= 1:
        raise ModelError(f"probability is {probability!r}, expected a number in (0, 1]")
    pressed = where & mdp.available if where.ndim == 2 else np.zeros((S, A), dtype=np.bool_)
    return StopQuestion(
        mdp=mdp,
        stopped=where if where.ndim == 1 else np.zeros(S, dtype=np.bool_),
        pressed=pressed,
        states=closure(mdp, mdp.start > 0) if states is None else _mask(mdp, "states", states),
        operator=np.zeros(S, np.bool_) if operator is None else _mask(mdp, "operator", operator),
        within=within,
        probability=float(probability),
    )


def leading_into(mdp: FiniteMDP, states: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[S, A] acts that may lead into `states [S]`."""
    chance = mdp.matrix @ states.astype(np.float64)
    into: NDArray[np.bool_] = (chance > 0).reshape(mdp.n_states, mdp.n_actions)
    return into


def _mask(mdp: FiniteMDP, name: str, given: ArrayLike) -> NDArray[np.bool_]:
    mask = np.asarray(given)
    if mask.shape != (mdp.n_states,) or mask.dtype != np.bool_:
        raise ModelError(
            f"{name} has shape {mask.shape} of {mask.dtype}, expected [S] = [{mdp.n_states}] of "
            "bool"
        )
    return mask
