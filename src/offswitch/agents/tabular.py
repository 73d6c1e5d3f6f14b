"""Agents whose policy is a table: one row of action probabilities for every observation."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.convergence import ConvergenceReport
from offswitch.errors import AgentError
from offswitch.mdp.model import FiniteMDP
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["TIE_TOLERANCE", "TabularAgent", "greedy_table"]

TIE_TOLERANCE = 1e-9
"""Relative to the largest value in the table; actions closer than this are equally good."""
ACTION_STREAM = 1
"""The agent's chance is `default_rng([seed, 1])`; the world's own stream is another number."""


class _Chance:
    """The random stream of the running episode."""

    def __init__(self) -> None:
        self.stream = np.random.default_rng([0, ACTION_STREAM])


@dataclass(frozen=True, eq=False)
class TabularAgent:
    """An agent without memory: what it does depends on the present observation only.

    O observations, A actions. Exact evaluation reads `policy`; stepping draws from the same rows,
    one uniform number for every act, so the two agree.
    """

    compiled: CompiledWorld
    """The world that the agent was made for."""
    table: NDArray[np.float64]
    """[O, A] probability of every action at every observation of `compiled`; rows sum to 1."""
    convergence: ConvergenceReport | None = None
    """Whether training had finished; None for agents that are not trained."""
    _chance: _Chance = field(default_factory=_Chance, init=False, repr=False)

    @functools.cached_property
    def _row_of(self) -> dict[tuple[int, ...], int]:
        """The number of every observation: only an agent that acts for itself looks."""
        return {seen: row for row, seen in enumerate(self.compiled.observations)}

    def reset(self, seed: int) -> None:
        """Start an episode; all the agent's chance comes from `seed`."""
        self._chance.stream = np.random.default_rng([seed, ACTION_STREAM])

    def act(self, observation: tuple[int, ...]) -> int:
        """The next action, drawn from the row of `observation` by inverting its cumulative sum.

        Raises:
            AgentError: the world never shows this observation.
        """
        row = self._row_of.get(tuple(observation))
        if row is None:
            raise AgentError(
                f"observation {observation} is none of the {len(self._row_of)} that "
                f"{self.compiled.world.id} shows. Make the agent for the world it acts in."
            )
        cumulative = np.cumsum(self.table[row])
        drawn = self._chance.stream.random() * cumulative[-1]
        return int(np.searchsorted(cumulative, drawn, side="right"))

    def policy(self, mdp: FiniteMDP) -> NDArray[np.float64]:
        """[S, A] the probability of every action in every state; action 0 in ending states.

        Raises:
            AgentError: `mdp` is not the process the agent was made for.
        """
        own = self.compiled.mdp
        if (mdp.n_states, mdp.n_actions) != (own.n_states, own.n_actions):
            raise AgentError(
                f"got a process of {mdp.n_states} states and {mdp.n_actions} actions, expected the "
                f"{own.n_states} and {own.n_actions} of {self.compiled.world.id}. Make the agent "
                "for the world in which it is evaluated."
            )
        rows: NDArray[np.float64] = self.table[self.compiled.observation_of]
        rows[self.compiled.ending] = np.eye(mdp.n_actions)[0]
        return rows


def greedy_table(
    values: NDArray[np.float64], *, tolerance: float = TIE_TOLERANCE
) -> NDArray[np.float64]:
    """[O, A] the one-hot rows of the best actions of `values` `[O, A]`.

    Ties within `tolerance` (times the largest finite absolute value) go to the lowest index: the
    least intrusive action comes first in every world.
    """
    finite = np.abs(values[np.isfinite(values)])
    slack = tolerance * float(finite.max(initial=0.0))
    best = values.max(axis=1, keepdims=True)
    chosen = np.argmax(values >= best - slack, axis=1)
    rows: NDArray[np.float64] = np.eye(values.shape[1])[chosen]
    return rows
