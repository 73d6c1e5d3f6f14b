"""What the acts of a drive are worth to each goal: the optimum less the best without them.

An act is of a drive where it may raise the drive's headline. Whether it does can depend on what
happened before (ignoring an order is an act only after the order), so the question is asked in the
product of the world and the drive's memory. A dual-use drive is a sum over steps, whose product
would be as large as the number of its sums: there an act counts by what it shows in its own step.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.drives.drive import Drive, headline, headline_components
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.tagged_optimality import TaggedOptimality, optimal_share
from offswitch.worlds.compiled import CompiledWorld, compiled_world, expected_rewards
from offswitch.worlds.goal import Goal
from offswitch.worlds.world import World

__all__ = ["MAX_NODES", "DriveProcess", "drive_process", "gains_of", "is_dual_use"]

MAX_NODES = 100_000
"""Pairs of state and memory beyond which a drive's value gain is not computed."""


class DriveProcess(NamedTuple):
    """A world's product with the memory of a drive; N nodes, A actions."""

    mdp: FiniteMDP
    state: NDArray[np.int64]
    """[N] the world's state of every node."""
    acts: NDArray[np.bool_]
    """[N, A] the acts that may raise the drive's headline."""


def is_dual_use(drive: Drive[Any]) -> bool:  # Any: each drive has its own memory
    """Whether the drive's headline counts only in excess of the paired control."""
    return headline_components(drive)[0] in drive.in_excess


def gains_of(
    world: World[Any], goals: Sequence[Goal], drive: Drive[Any]
) -> tuple[bool, TaggedOptimality | None]:
    """Whether any act can show the drive in `world`, and what forgoing such acts costs each goal.

    The world is the one its agents plan in. The gain is None where nothing can show the drive, or
    the product has more than `MAX_NODES` nodes. Two optimal solves of all goals.
    """
    compiled = compiled_world(world.planning_model())
    process = drive_process(compiled, drive)
    if process is None:
        return True, None
    if not process.acts.any():
        return False, None
    rewards = np.stack([expected_rewards(compiled, goal)[process.state] for goal in goals])
    discount = compiled.world.discount
    return True, optimal_share(process.mdp, rewards, process.acts, discount=discount)


def drive_process(
    compiled: CompiledWorld, drive: Drive[Any], *, max_nodes: int = MAX_NODES
) -> DriveProcess | None:
    """The process in which the acts of `drive` can be told from the others; None if too large.

    O(nodes x branches).
    """
    found = _Nodes(compiled, _Reader(compiled, drive))
    frontier = found.numbered(np.zeros(found.starts.shape, np.int64), found.starts)
    while len(frontier):
        if len(found.code_of) > max_nodes:
            return None
        frontier = found.expanded(frontier)
    return found.process()


class _Reader:
    """What a tuple of events does to a drive's memory, remembered."""

    def __init__(self, compiled: CompiledWorld, drive: Drive[Any]) -> None:
        self.drive = drive.focused(headline_components(drive)[0])
        self.forgets = is_dual_use(drive)
        self.memories: list[Hashable] = [self.drive.start()]
        self.numbers: dict[Hashable, int] = {self.drive.start(): 0}
        self.tuples = compiled.event_table
        endings = [compiled.world.ending(state) for state in compiled.states]
        self.endings = tuple(dict.fromkeys(end for end in endings if end is not None))
        order = {end: number for number, end in enumerate(self.endings, start=1)}
        self.ending_of = np.array([order.get(end, 0) if end else 0 for end in endings])
        """[S] which ending an episode has that comes there, from 1; 0 where it goes on."""
        self.after: dict[tuple[int, int, int], tuple[int, bool]] = {}

    def read(self, memory: int, events: int, ending: int) -> tuple[int, bool]:
        """The memory after the events (and the ending), and whether they raised the headline."""
        key = (memory, events, ending)
        if key not in self.after:
            before = self.memories[memory]
            now = before
            last = self.endings[ending - 1 : ending] if ending else ()
            for event in (*self.tuples[events], *last):
                now = self.drive.advance(now, event)
            raised = self._headline(now) > self._headline(before)
            kept = before if self.forgets else now
            number = self.numbers.setdefault(kept, len(self.memories))
            if number == len(self.memories):
                self.memories.append(kept)
            self.after[key] = (number, raised)
        return self.after[key]

    def _headline(self, memory: Hashable) -> float:
        return headline(self.drive, self.drive.outcome(memory))


class _Nodes:
    """The nodes of the product as they are found, level by level."""

    def __init__(self, compiled: CompiledWorld, reader: _Reader) -> None:
        self.compiled, self.reader = compiled, reader
        self.starts = np.flatnonzero(compiled.mdp.start)
        self.code_of: dict[int, int] = {}
        """Memory * S + state -> node."""
        self.rows: list[NDArray[np.float64]] = []
        self.raising: list[NDArray[np.int64]] = []
        """[n, 2] node and action."""

    def numbered(self, memories: NDArray[np.int64], states: NDArray[np.int64]) -> NDArray[np.int64]:
        """The codes of the pairs that are new, which get the next numbers."""
        codes = np.unique(memories * self.compiled.mdp.n_states + states)
        fresh = [code for code in codes.tolist() if code not in self.code_of]
        for code in fresh:
            self.code_of[code] = len(self.code_of)
        return np.array(fresh, dtype=np.int64)

    def expanded(self, frontier: NDArray[np.int64]) -> NDArray[np.int64]:
        """Follows every branch of the nodes in `frontier`; the codes that are new."""
        compiled, S, A = self.compiled, self.compiled.mdp.n_states, self.compiled.mdp.n_actions
        memory, state = np.divmod(frontier, S)
        row = (state[:, None] * A + np.arange(A)).ravel()
        width = compiled.branch_start[row + 1] - compiled.branch_start[row]
        which = np.repeat(np.arange(len(row)), width)
        branch = np.arange(len(which)) - np.repeat(np.cumsum(width) - width, width)
        branch += compiled.branch_start[row][which]
        following = compiled.branch_next[branch]
        ending = self.reader.ending_of[following] * ~compiled.ending[state[which // A]]
        keys = np.column_stack([memory[which // A], compiled.branch_events[branch], ending])
        distinct, inverse = np.unique(keys, axis=0, return_inverse=True)
        read = [self.reader.read(*map(int, key)) for key in distinct.tolist()]
        after = np.array([number for number, _ in read])[inverse.ravel()]
        raised = np.array([flag for _, flag in read])[inverse.ravel()]
        fresh = self.numbered(after, following)
        node = self._nodes(frontier)[which // A]
        target = self._nodes(after * S + following)
        chance = compiled.branch_probability[branch]
        self.rows.append(np.column_stack([node, which % A, target, chance]))
        self.raising.append(np.column_stack([node, which % A])[raised])
        return fresh

    def process(self) -> DriveProcess:
        """The process over everything found."""
        own = self.compiled.mdp
        codes = np.array(list(self.code_of), dtype=np.int64)
        memory, state = np.divmod(codes, own.n_states)
        start = np.where(memory == 0, own.start[state], 0.0)
        rows = np.concatenate(self.rows)
        mdp = FiniteMDP.from_coo(len(codes), own.n_actions, rows, start=start)
        acts = np.zeros((len(codes), own.n_actions), dtype=np.bool_)
        acts[tuple(np.concatenate(self.raising).T)] = True
        return DriveProcess(mdp, state, acts)

    def _nodes(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        distinct, inverse = np.unique(codes, return_inverse=True)
        return np.array([self.code_of[code] for code in distinct.tolist()])[inverse.ravel()]
