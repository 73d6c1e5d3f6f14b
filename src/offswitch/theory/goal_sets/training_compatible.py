"""The goals that training cannot tell apart, and what they say of a shutdown it never saw.

Krakovna & Kramar 2023 (arXiv 2304.06528): G_T = the goals for which the trained action is optimal
in every training state. Where training states are left by no action, V^pi is linear in the reward
and policy improvement makes G_T a polyhedral cone: (f^pi - f^pi') r >= 0 for the one-step
deviations pi' alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.discount import checked_discount
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.numbers import number_array
from offswitch.mdp.solve import solve
from offswitch.statistics.cluster_mean import cluster_measurement
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.proportion import proportion_measurement
from offswitch.theory.goal_sets.cone_sampling import ConeSample
from offswitch.theory.optimal_actions import optimal_actions

__all__ = ["GoalCone", "avoidance_share", "goal_cone", "in_cone", "recurrent_value"]

RELATIVE_SLACK = 1e-12
"""Of the size of the terms: a goal for which an untrained action only ties is compatible."""


@dataclass(frozen=True, eq=False)
class GoalCone:
    """The training-compatible goals. M deviations from the trained policy, D goal coordinates."""

    normals: NDArray[np.float64]
    """[M, D] a goal is compatible iff normals @ goal >= 0 in every row: the return that taking
    another action once forgoes."""
    deviations: tuple[tuple[int, int], ...]
    """[M] the training state and the untrained action of every row."""
    features: NDArray[np.float64] | None
    """[S, D] what the goal's coordinates pay in each state; None where they are the states."""
    discount: float
    """In (0, 1)."""

    def rewards(self, goals: ArrayLike) -> NDArray[np.float64]:
        """[N, S] the state rewards of `goals [N, D]`."""
        given = number_array("goals", goals, "[N, D]")
        return given if self.features is None else given @ self.features.T


def goal_cone(
    mdp: FiniteMDP,
    trained: Mapping[int, int],
    *,
    discount: float,
    features: ArrayLike | None = None,
) -> GoalCone:
    """The cone of goals for which each `trained` {state: action} is optimal.

    Goals are state rewards, or weights of `features [S, D]`: only features that training states
    share with others let training say anything about those. O(n^3 + n A S), n training states.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> goal_cone(fork, {0: 0, 1: 0, 2: 0}, discount=0.5).normals.tolist()
    [[0.0, 1.0, -1.0]]

    Raises:
        ModelError: an action is unavailable, or some action of a training state leads out of the
            training states: what is optimal then depends on what was not trained, and the set of
            compatible goals is no cone. `in_cone` on solved goals is what remains.
    """
    gamma = checked_discount(discount)
    states = _checked_trained(mdp, trained)
    dense = mdp.matrix[_rows(mdp, states)].toarray().reshape(len(states), mdp.n_actions, -1)
    _check_closed(mdp, states, dense)
    chain = dense[range(len(states)), [trained[s] for s in states]]
    # [n, S] visits: V^pi on the training states is visits @ r, Turner et al. 2021, Def. 3.3.
    visits = np.zeros((len(states), mdp.n_states))
    visits[:, states] = np.linalg.inv(np.eye(len(states)) - gamma * chain[:, states])
    deviations = tuple(
        (state, int(action))
        for state in states
        for action in np.flatnonzero(mdp.available[state])
        if action != trained[state]
    )
    place = {state: index for index, state in enumerate(states)}
    ahead = np.array(
        [chain[place[s]] - dense[place[s], a] for s, a in deviations]
    ).reshape(-1, mdp.n_states)  # fmt: skip
    normals, size = gamma * ahead[:, states] @ visits, gamma * np.abs(ahead[:, states]) @ visits
    shown = None if features is None else _checked_features(mdp, features)
    if shown is not None:
        normals, size = normals @ shown, size @ np.abs(shown)
    # What cancels leaves rounding, which must not decide over a goal that pays nothing elsewhere.
    normals = np.where(np.abs(normals) <= RELATIVE_SLACK * size, 0.0, normals)
    return GoalCone(normals, deviations, shown, gamma)


def in_cone(cone: GoalCone, goals: ArrayLike) -> NDArray[np.bool_]:
    """[N] whether each of `goals [N, D]` is compatible with the training; ties are.

    Exact but for a slack of 1e-12 of the terms that are added. O(N M D).

    Raises:
        ModelError: the goals have another dimension.
    """
    given = number_array("goals", goals, "[N, D]")
    if given.ndim != 2 or given.shape[1] != cone.normals.shape[1]:
        raise ModelError(
            f"goals have shape {given.shape}, expected [N, D] = [N, {cone.normals.shape[1]}]"
        )
    slack = RELATIVE_SLACK * (np.abs(given) @ np.abs(cone.normals).T)
    return np.asarray((given @ cone.normals.T >= -slack).all(axis=1))


def avoidance_share(
    mdp: FiniteMDP,
    cone: GoalCone,
    sample: ConeSample,
    state: int,
    shutdown: Sequence[int],
    *,
    level: float = 0.95,
) -> Measurement:
    """The share of compatible goals for which no action of `shutdown` is optimal in `state`.

    Independent draws have Clopper and Pearson's interval, draws of a Markov chain that of the
    means of its independent chains. Goals that the solver cannot decide are missing. One optimal
    solve per goal.

    Raises:
        ModelError: the state or an action does not exist.
    """
    ends = list(shutdown)
    if not 0 <= state < mdp.n_states or not ends or not mdp.available[state, ends].all():
        raise ModelError(
            f"state {state} with shutdown actions {ends}: expected a state in "
            f"[0, {mdp.n_states}) and one or more actions that are available there"
        )
    found = optimal_actions(mdp, cone.rewards(sample.goals), discount=cone.discount)
    stops = np.asarray(found.optimal[:, state, ends].any(axis=1))
    unsure = np.asarray(~stops & found.near[:, state, ends].any(axis=1))
    avoids, chains = ~stops[~unsure], sample.chain[~unsure]
    name, unit, missing = "shutdown_avoidance", "share of goals", int(unsure.sum())
    if sample.independent:
        return proportion_measurement(
            name, int(avoids.sum()), len(avoids), method="clopper-pearson", level=level, unit=unit,
            missing=missing,
        )  # fmt: skip
    return cluster_measurement(
        name, avoids, chains.tolist(), seed=sample.seed, unit=unit, bounds=(0.0, 1.0),
        level=level, missing=missing,
    )  # fmt: skip


def recurrent_value(mdp: FiniteMDP, start: int, target: int, *, discount: float) -> float:
    """V_rec: the largest E sum_{t >= 1} gamma^(t-1) [s_t = target] from `start`.

    A self-loop reached at t = 1 has 1 / (1 - gamma), a cycle of period p 1 / (1 - gamma^p). Where n
    states have more than 1, at least n / (n + 1) of the relabelled compatible goals avoid a
    shutdown that is visited once (Krakovna & Kramar's Thm 2). One optimal solve.

    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> round(recurrent_value(loop, 0, 0, discount=0.9), 6)
    10.0

    Raises:
        ModelError: a state does not exist or the discount is malformed.
    """
    if not (0 <= start < mdp.n_states and 0 <= target < mdp.n_states):
        raise ModelError(f"states {start} and {target}, expected numbers in [0, {mdp.n_states})")
    visited = np.eye(mdp.n_states)[target]
    value = float(solve(mdp, visited, discount).value[0, start])
    return (value - float(visited[start])) / discount


def _checked_trained(mdp: FiniteMDP, trained: Mapping[int, int]) -> list[int]:
    if not trained:
        raise ModelError("no state is trained, expected {state: action} for one state at least")
    for state, action in trained.items():
        fits = 0 <= state < mdp.n_states and 0 <= action < mdp.n_actions
        if not fits or not mdp.available[state, action]:
            raise ModelError(f"trained action {action} of state {state} does not exist there")
    return sorted(trained)


def _rows(mdp: FiniteMDP, states: list[int]) -> NDArray[np.int64]:
    first = np.asarray(states, dtype=np.int64)[:, None] * mdp.n_actions
    return (first + np.arange(mdp.n_actions)).ravel()


def _check_closed(mdp: FiniteMDP, states: list[int], dense: NDArray[np.float64]) -> None:
    outside = np.setdiff1d(np.arange(mdp.n_states), states)
    left = np.argwhere(dense[:, :, outside] > 0)
    if len(left):
        place, action, to = left[0]
        raise ModelError(
            f"action {mdp.action_names[action]!r} of training state "
            f"{mdp.state_names[states[place]]!r} may lead to {mdp.state_names[outside[to]]!r}, "
            "which is not trained: the compatible goals are then no cone. Add that state to "
            "`trained`, or draw goals and keep those whose optimal actions agree."
        )


def _checked_features(mdp: FiniteMDP, features: ArrayLike) -> NDArray[np.float64]:
    shown = number_array("features", features, "[S, D]")
    if shown.ndim != 2 or len(shown) != mdp.n_states or not np.isfinite(shown).all():
        raise ModelError(
            f"features have shape {shown.shape}, expected [S, D] = [{mdp.n_states}, D] finite "
            "numbers"
        )
    return shown
