"""Rewards, checked in one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.numbers import number_array

__all__ = ["LARGEST_REWARD", "checked_reward"]

LARGEST_REWARD = 1e100
"""Beyond this the products behind an error bound could overflow float64."""


def checked_reward(mdp: FiniteMDP, reward: ArrayLike) -> NDArray[np.float64]:
    """The reward of acting, `[K, S, 1]` where it depends on the state alone, else `[K, S, A]`.

    `reward` is `[S]` (one goal), `[K, S]` (earned on acting in s) or `[K, S, A]`. What it says of
    unavailable actions is dropped.

    Raises:
        ModelError: the shape fits none of these, or a number is not finite or beyond 1e100.
    """
    given = number_array("reward", reward, "[S], [K, S] or [K, S, A]")
    wide = given[None] if given.ndim == 1 else given
    _check_shape(mdp, given.shape, wide.shape)
    _check_numbers(mdp, wide)
    if wide.ndim == 2:
        return np.ascontiguousarray(wide[:, :, None])
    # What an unavailable action would pay must not count in any bound on the size of rewards.
    return np.where(mdp.available, wide, 0.0)


def _check_shape(mdp: FiniteMDP, given: tuple[int, ...], wide: tuple[int, ...]) -> None:
    S, A = mdp.n_states, mdp.n_actions
    if len(wide) in (2, 3) and wide[0] > 0 and wide[1:] in ((S,), (S, A)):
        return
    raise ModelError(
        f"reward has shape {given}, expected [S] = [{S}], [K, S] = [K, {S}] or [K, S, A] = "
        f"[K, {S}, {A}], with at least one goal. One goal's [S, A] reward is reward[None]."
    )


def _check_numbers(mdp: FiniteMDP, reward: NDArray[np.float64]) -> None:
    sound = np.abs(reward) <= LARGEST_REWARD  # NaN compares false
    if sound.all():
        return
    where = tuple(int(index) for index in np.argwhere(~sound)[0])
    action = f", action {mdp.action_names[where[2]]!r}" if len(where) == 3 else ""
    raise ModelError(
        f"reward of goal {where[0]} in state {mdp.state_names[where[1]]!r}{action} is "
        f"{reward[where]}, expected a finite number up to {LARGEST_REWARD:g} in size. To forbid "
        "an action, leave it out of the transitions or pass allowed=."
    )
