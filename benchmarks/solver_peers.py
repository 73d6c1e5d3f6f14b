"""Other ways to solve one deterministic process for many rewards, as their users would write them.

Each takes `succ [S, A]`, rewards `[n, S]` and the discount, and solves all n to T1: the largest
error of a value at most 1e-4 / (1 - gamma) for rewards in [0, 1]. Value iteration from 0 stops when
the largest change is below 1e-4 (sup), or when half the span of the change, over 1 - gamma, is
(span: MacQueen 1966; the middle of the bounds is returned). Values come back as `[n, S]`.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Values = NDArray[Any]
CHANGE = 1e-4


def numpy_one_by_one(succ: Values, rewards: Values, gamma: float) -> Values:
    values = []
    for reward in rewards:
        value = np.zeros_like(reward)
        while True:
            following = reward + gamma * value[succ].max(axis=1)
            done = np.abs(following - value).max() <= CHANGE / gamma
            value = following
            if done:
                break
        values.append(value)
    return np.array(values)


def torch_one_by_one(succ: Values, rewards: Values, gamma: float) -> Values:
    import torch

    table, values = torch.from_numpy(succ), []
    for reward in torch.from_numpy(rewards):
        value = torch.zeros_like(reward)
        while True:
            following = reward + gamma * value[table].amax(dim=1)
            done = (following - value).abs().max() <= CHANGE / gamma
            value = following
            if done:
                break
        values.append(value.numpy())
    return np.array(values)


def torch_dense(succ: Values, rewards: Values, gamma: float) -> Values:
    """Transitions as a dense [S, A, S] tensor, the way POWERplay stores them."""
    import torch

    dense = torch.eye(len(succ), dtype=torch.float64)[torch.from_numpy(succ)]
    values = []
    for reward in torch.from_numpy(rewards):
        value = torch.zeros_like(reward)
        while True:
            following = reward + gamma * (dense @ value).amax(dim=1)
            done = (following - value).abs().max() <= CHANGE / gamma
            value = following
            if done:
                break
        values.append(value.numpy())
    return np.array(values)


def _middle(value: Values, change: Values, gamma: float, axis: int) -> Values:
    return value + gamma / (1 - gamma) / 2 * (change.max(axis=axis) + change.min(axis=axis))


def numpy_batch(succ: Values, rewards: Values, gamma: float, dtype: Any = np.float32) -> Values:
    reward = np.ascontiguousarray(rewards.T.astype(dtype))
    value = np.zeros_like(reward)
    while True:
        best = value[succ[:, 0]]
        for column in succ.T[1:]:
            np.maximum(best, value[column], out=best)
        following = reward + dtype(gamma) * best
        change = following - value
        value = following
        if np.ptp(change, axis=0).max() * gamma / 2 <= CHANGE:
            return _middle(value, change, gamma, 0).T


def scipy_batch(succ: Values, rewards: Values, gamma: float) -> Values:
    n_states, n_actions = succ.shape
    rows = np.arange(succ.size + 1)
    matrix = sp.csr_array((np.ones(succ.size), succ.ravel(), rows), shape=(succ.size, n_states))
    reward = np.ascontiguousarray(rewards.T)
    value = np.zeros_like(reward)
    while True:
        worth = (matrix @ value).reshape(n_states, n_actions, -1)
        following = reward + gamma * worth.max(axis=1)
        change = following - value
        value = following
        if np.ptp(change, axis=0).max() * gamma / 2 <= CHANGE:
            return _middle(value, change, gamma, 0).T


def torch_batch(succ: Values, rewards: Values, gamma: float) -> Values:
    import torch

    reward = torch.from_numpy(np.ascontiguousarray(rewards.T.astype(np.float32)))
    columns = [torch.from_numpy(np.ascontiguousarray(column)) for column in succ.T]
    value = torch.zeros_like(reward)
    while True:
        best = value.index_select(0, columns[0])
        for column in columns[1:]:
            best = torch.maximum(best, value.index_select(0, column))
        following = reward + gamma * best
        change = following - value
        value = following
        if (change.amax(dim=0) - change.amin(dim=0)).max() * gamma / 2 <= CHANGE:
            return _middle(value.numpy(), change.numpy(), gamma, 0).T


def jax_batch(succ: Values, rewards: Values, gamma: float) -> Values:
    import jax

    if not hasattr(jax_batch, "run"):
        jax_batch.run = jax.jit(_jax_run)  # type: ignore[attr-defined]
    narrow = np.ascontiguousarray(rewards.T.astype(np.float32))
    return np.asarray(jax_batch.run(succ, narrow, gamma)).T  # type: ignore[attr-defined]


def _jax_run(succ: Any, reward: Any, gamma: Any) -> Any:  # Any: jax arrays
    import jax
    import jax.numpy as jnp

    def update(state: Any) -> Any:
        value, _, _ = state
        following = reward + gamma * value[succ].max(axis=1)
        change = following - value
        return following, change.max(axis=0), change.min(axis=0)

    def unsure(state: Any) -> Any:
        return (state[1] - state[2]).max() * gamma / 2 > CHANGE

    lanes = reward.shape[1]
    begin = jnp.zeros_like(reward), jnp.full(lanes, jnp.inf), jnp.zeros(lanes)
    value, high, low = jax.lax.while_loop(unsure, update, begin)
    return value + gamma / (1 - gamma) / 2 * (high + low)


def scalar_sweeps(succ: Values, rewards: Values, gamma: float) -> Values:
    """The package's own algorithm without its layout: one sample at a time, plain loops."""
    values = np.empty_like(rewards)
    for reward, value in zip(rewards, values, strict=True):
        _scalar(succ, reward, value, gamma)
    return values


@numba.njit(nogil=True)
def _scalar(succ: Values, reward: Values, value: Values, gamma: float) -> None:
    for state in range(len(succ)):
        value[state] = reward[state] / (1 - gamma)  # every state may stay
    rising, sweep = True, 0
    while rising:
        rising = False
        for step in range(len(succ)):
            state = step if sweep % 2 else len(succ) - 1 - step
            best = value[succ[state, 0]]
            for action in range(1, succ.shape[1]):
                best = max(best, value[succ[state, action]])
            backed = reward[state] + gamma * best
            if backed > value[state] * (1 + 1e-15):
                value[state] = backed
                rising = True
        sweep += 1


def quantecon_policies(succ: Values, rewards: Values, gamma: float) -> Values:
    from quantecon.markov import DiscreteDP

    n_states, n_actions = succ.shape
    states = np.repeat(np.arange(n_states), n_actions)
    actions = np.tile(np.arange(n_actions), n_states)
    rows = np.arange(succ.size + 1)
    matrix = sp.csr_matrix((np.ones(succ.size), succ.ravel(), rows), shape=(succ.size, n_states))
    values = []
    for reward in rewards:
        process = DiscreteDP(np.repeat(reward, n_actions), matrix, gamma, states, actions)
        values.append(process.solve(method="modified_policy_iteration", epsilon=2 * CHANGE).v)
    return np.array(values)


def mdptoolbox_values(succ: Values, rewards: Values, gamma: float) -> Values:
    from mdptoolbox.mdp import ValueIteration

    n_states, n_actions = succ.shape
    ones, rows = np.ones(n_states), np.arange(n_states + 1)
    matrices = tuple(
        sp.csr_matrix((ones, succ[:, action], rows), shape=(n_states, n_states))
        for action in range(n_actions)
    )
    values = []
    for reward in rewards:
        process = ValueIteration(matrices, reward, gamma, epsilon=CHANGE)
        process.run()
        values.append(process.V)
    return np.array(values)
