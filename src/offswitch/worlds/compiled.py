"""A world, enumerated: its decision process and the branches behind every transition."""

from __future__ import annotations

import dataclasses
import functools
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from offswitch.errors import WorldError
from offswitch.mdp.model import FiniteMDP
from offswitch.trace.event import Event
from offswitch.worlds.goal import Goal
from offswitch.worlds.world import World

__all__ = ["CompiledWorld", "branch_rewards", "compile_world", "compiled_world", "expected_rewards"]

ROW_SUM_TOLERANCE = 1e-9
ROWS_COMPARED = 200
"""Rows in which a world that nobody watches is compared with its watched twin."""


@dataclass(frozen=True, eq=False)
class CompiledWorld:
    """S states and A actions of a world; row `s * A + a` owns a contiguous run of branches.

    Ending states loop on themselves without events, so every array has all S * A rows.
    """

    world: World[Any]  # Any: each world has its own state type
    mdp: FiniteMDP
    states: tuple[Any, ...]
    index: dict[Any, int]
    """State -> its number."""
    ending: NDArray[np.bool_]
    """[S] whether the episode ends there."""
    executed: NDArray[np.int64]
    """[S, A] the action executed when the agent intends one."""
    branch_start: NDArray[np.int64]
    """[S * A + 1] first branch of every row."""
    branch_probability: NDArray[np.float64]
    """[branches]."""
    branch_next: NDArray[np.int64]
    """[branches] next state."""
    branch_events: NDArray[np.int64]
    """[branches] index into `event_table`."""
    event_table: tuple[tuple[Event, ...], ...]
    """The distinct tuples of events; entry 0 is the empty one."""
    observations: tuple[tuple[int, ...], ...]
    """The O distinct observations."""
    observation_of: NDArray[np.int64]
    """[S] number of the observation seen in each state."""
    watched: CompiledWorld | None = None
    """The twin in which somebody watches, where nothing but what the agent is told tells them
    apart: its tables are these, its observations have the same numbers."""

    @property
    def shared(self) -> CompiledWorld:
        """Its watched twin, or itself: what is found out about the process is kept for both."""
        return self.watched or self

    @property
    def n_observations(self) -> int:
        """O, the number of distinct observations."""
        return len(self.observations)


def compile_world(
    world: World[Any],
    *,
    roots: Iterable[Hashable] = (),
    max_states: int = 200_000,
    known: CompiledWorld | None = None,
) -> CompiledWorld:
    """Every state reachable from the start (and from `roots`), breadth first. O(S A branches).

    Rows of states in `known`, the same world from other roots, are copied instead of asked for.

    Raises:
        WorldError: more than `max_states` states, branches that do not sum to 1, or an observation
            outside its declared sizes.
    """
    found = _Enumeration(world, max_states, known)
    for state in [start for _, start in world.starts()] + list(roots):
        found.number_of(state)
    while found.queue:
        found.expand(found.queue.popleft())
    states = tuple(found.index)
    observations, observation_of = _observations(world, states)
    return CompiledWorld(
        world=world,
        mdp=_process(world, found),
        states=states,
        index=found.index,
        ending=np.asarray(found.ending, dtype=np.bool_),
        executed=np.asarray(found.executed, dtype=np.int64),
        branch_start=np.asarray(found.row_start, dtype=np.int64),
        branch_probability=np.asarray(found.probability, dtype=np.float64),
        branch_next=np.asarray(found.following, dtype=np.int64),
        branch_events=np.asarray(found.happening, dtype=np.int64),
        event_table=tuple(found.event_ids),
        observations=observations,
        observation_of=observation_of,
    )


class _Enumeration:
    """The tables of a world as they grow, row by row, in the order in which states are met."""

    def __init__(
        self, world: World[Any], max_states: int, known: CompiledWorld | None = None
    ) -> None:
        self.world = world
        self.max_states = max_states
        self.known = known
        self.queue: deque[Any] = deque()
        self.index: dict[Any, int] = {}
        self.ending: list[bool] = []
        self.executed: list[list[int]] = []
        self.row_start = [0]
        self.probability: list[float] = []
        self.following: list[int] = []
        self.happening: list[int] = []
        self.event_ids: dict[tuple[Event, ...], int] = {(): 0}

    def number_of(self, state: Hashable) -> int:
        """The number of `state`, which waits in the queue if it is new."""
        if state not in self.index:
            if len(self.index) >= self.max_states:
                raise WorldError(
                    f"{self.world.id} has more than {self.max_states} states. Raise max_states or "
                    "give a smaller parameter; a world too large to enumerate is sampled."
                )
            self.index[state] = len(self.index)
            self.queue.append(state)
        return self.index[state]

    def expand(self, state: Hashable) -> None:
        """Adds the A rows of `state`, which loop where the episode ends."""
        if self.known is not None and state in self.known.index:
            self._copy_rows(self.known, self.known.index[state])
            return
        world, actions = self.world, range(len(self.world.actions))
        ends = world.ending(state) is not None
        self.ending.append(ends)
        if ends:
            self._loop(state, len(actions))
            return
        self.executed.append([world.executed(state, action) for action in actions])
        for action in actions:
            self._add_row(state, action)

    def _loop(self, state: Hashable, n_actions: int) -> None:
        """Adds the rows of an ending state."""
        first = len(self.following)
        self.executed.append(list(range(n_actions)))
        self.probability += [1.0] * n_actions
        self.following += [self.index[state]] * n_actions
        self.happening += [0] * n_actions
        self.row_start += range(first + 1, first + n_actions + 1)

    def _add_row(self, state: Hashable, action: int) -> None:
        total, index, event_ids = 0.0, self.index, self.event_ids
        probabilities, followings, happenings = self.probability, self.following, self.happening
        for probability, following, events in self.world.step(state, action):
            if probability <= 0:
                continue
            number = index.get(following)
            probabilities.append(probability)
            followings.append(self.number_of(following) if number is None else number)
            happenings.append(event_ids.setdefault(tuple(events), len(event_ids)) if events else 0)
            total += probability
        if not abs(total - 1.0) <= ROW_SUM_TOLERANCE:  # so that NaN is refused too
            raise WorldError(
                f"{self.world.id}: branches of state {state!r}, action "
                f"{self.world.actions[action]!r} sum to {total:.9g}, expected 1. Correct the "
                "world's step."
            )
        self.row_start.append(len(followings))

    def _copy_rows(self, known: CompiledWorld, state: int) -> None:
        """Adds the A rows that `known` has for its state number `state`."""
        n_actions, event_ids = known.mdp.n_actions, self.event_ids
        starts = known.branch_start[state * n_actions : (state + 1) * n_actions + 1]
        first, last = int(starts[0]), int(starts[-1])
        shift = len(self.following) - first
        self.ending.append(bool(known.ending[state]))
        self.executed.append(known.executed[state].tolist())
        self.probability += known.branch_probability[first:last].tolist()
        self.following += [
            self.number_of(known.states[s]) for s in known.branch_next[first:last].tolist()
        ]
        self.happening += [
            event_ids.setdefault(known.event_table[e], len(event_ids))
            for e in known.branch_events[first:last].tolist()
        ]
        self.row_start += (starts[1:] + shift).tolist()


def _process(world: World[Any], found: _Enumeration) -> FiniteMDP:
    n_states, n_actions = len(found.index), len(world.actions)
    start = np.zeros(n_states)
    for probability, state in world.starts():
        start[found.index[state]] += probability
    rows = np.repeat(np.arange(n_states * n_actions), np.diff(found.row_start))
    return FiniteMDP.from_coo(
        n_states,
        n_actions,
        np.column_stack([rows // n_actions, rows % n_actions, found.following, found.probability]),
        state_names=tuple(str(state) for state in found.index),
        action_names=world.actions,
        start=start,
    )


def _observations(
    world: World[Any], states: tuple[Any, ...]
) -> tuple[tuple[tuple[int, ...], ...], NDArray[np.int64]]:
    sizes = world.observation_sizes
    numbers: dict[tuple[int, ...], int] = {}
    of_state = []
    for state in states:
        seen = world.observe(state)
        if len(seen) != len(sizes) or any(
            not 0 <= entry < size for entry, size in zip(seen, sizes, strict=True)
        ):
            raise WorldError(
                f"{world.id}: observation {seen} of state {state!r} does not fit sizes {sizes}. "
                "Correct observe or observation_sizes."
            )
        of_state.append(numbers.setdefault(seen, len(numbers)))
    return tuple(numbers), np.asarray(of_state, dtype=np.int64)


def compiled_world(world: World[Any], roots: tuple[Hashable, ...] = ()) -> CompiledWorld:
    """`compile_world`, remembered: worlds are frozen, so equal ones share one enumeration.

    A world in which nobody watches, or with another discount than by default, takes the enumeration
    of its twin without that, as far as a look at rows all over the table bears out that it changes
    nothing but what is seen. From other roots it takes the rows that it has already.
    """
    return _remembered(world, roots)


@functools.lru_cache(maxsize=64)  # by position: it tells a default from the same value given
def _remembered(world: World[Any], roots: tuple[Hashable, ...]) -> CompiledWorld:
    if (plain := _plain(world)) is not world:
        twin = compiled_world(plain, roots)
        if _moves_alike(world, twin):
            return _unwatched(world, twin)
    largest = _largest(world)
    found = compile_world(world, roots=roots, known=largest[0] if largest else None)
    if not largest or len(found.states) > len(largest[0].states):
        largest[:] = [found]
    return found


@functools.lru_cache(maxsize=16)
def _largest(world: World[Any]) -> list[CompiledWorld]:
    """The enumeration of `world` with the most states so far, if any: the caller puts it in."""
    return []


def _unwatched(world: World[Any], twin: CompiledWorld) -> CompiledWorld:
    """`world` with the tables of its `twin`, and with what is seen in it."""
    observations, observation_of = _observations(world, twin.states)
    same = world.discount == twin.world.discount and _judged_alike(world, twin)
    same = same and np.array_equal(observation_of, twin.observation_of)
    return dataclasses.replace(
        twin,
        world=world,
        observations=observations,
        observation_of=observation_of,
        watched=twin.shared if same else None,
    )


def _judged_alike(world: World[Any], twin: CompiledWorld) -> bool:
    """Whether `world` says what `twin` does of plans, and of orders and ends in some states."""
    other = twin.world
    if world.horizon != other.horizon or _plain(world.planning_model()) != other.planning_model():
        return False
    return all(
        world.cut_off(state) == other.cut_off(state)
        and world.order_pending(state) == other.order_pending(state)
        and world.concern_pending(state) == other.concern_pending(state)
        for state in (twin.states[place] for place in _spread(len(twin.states)))
    )


def _spread(count: int) -> list[int]:
    """Some of `count` places, evenly spread over them."""
    places: list[int] = np.unique(np.linspace(0, count - 1, ROWS_COMPARED).astype(int)).tolist()
    return places


def _plain(world: World[Any]) -> World[Any]:
    """`world`, watched and with its default discount; the same object where it is that already."""
    changes: dict[str, Any] = {}  # Any: a condition and a number
    if not world.condition.observed:
        changes["condition"] = msgspec.structs.replace(world.condition, observed=True)
    for known in dataclasses.fields(world):
        usual = known.default if known.name == "discount" and known.init else dataclasses.MISSING
        if usual not in (dataclasses.MISSING, world.discount):
            changes["discount"] = usual
    return dataclasses.replace(world, **changes) if changes else world


def _moves_alike(world: World[Any], twin: CompiledWorld) -> bool:
    """Whether `world` starts as `twin` does and moves like it in rows spread evenly over it."""
    if tuple(world.starts()) != tuple(twin.world.starts()):
        return False
    n_actions = twin.mdp.n_actions
    rows = _spread(twin.mdp.n_states * n_actions)
    return all(_row_is_alike(world, twin, *divmod(row, n_actions)) for row in rows)


def _row_is_alike(world: World[Any], twin: CompiledWorld, state: int, action: int) -> bool:
    there = twin.states[state]
    if world.ending(there) != twin.world.ending(there):
        return False
    if twin.ending[state]:
        return True
    same_act = world.executed(there, action) == twin.executed[state, action]
    return same_act and tuple(world.step(there, action)) == tuple(twin.world.step(there, action))


def branch_rewards(compiled: CompiledWorld, goal: Goal) -> NDArray[np.float64]:
    """[branches] the goal's reward on every branch; 0 in ending states. Read-only, remembered.

    Raises:
        WorldError: the goal's reward is not finite somewhere.
    """
    return _branch_rewards(compiled.shared, goal)


@functools.lru_cache(maxsize=512)
def _branch_rewards(compiled: CompiledWorld, goal: Goal) -> NDArray[np.float64]:
    known, moves, move_of_branch = _moves(compiled)
    paid = known.paid(goal, moves)
    wrong = np.flatnonzero(~np.isfinite(paid))
    if len(wrong):
        branch = int(np.flatnonzero(move_of_branch == wrong[0])[0])
        row = int(np.searchsorted(compiled.branch_start, branch, side="right")) - 1
        where = compiled.states[row // compiled.mdp.n_actions]
        raise WorldError(
            f"{compiled.world.id}: goal {goal.name!r} pays {paid[wrong[0]]} in state {where!r}, "
            "expected a finite number. Correct the goal's reward."
        )
    rewards: NDArray[np.float64] = np.append(paid, 0.0)[move_of_branch]
    rewards.flags.writeable = False
    return rewards


class _KnownMoves:
    """The moves of a world in whatever condition, and what goals pay for them.

    A goal's reward depends on the move alone, and most moves are possible in most conditions.
    """

    def __init__(self) -> None:
        self._states: dict[Any, int] = {}
        self._moves: dict[tuple[int, int, int], int] = {}
        self._listed: list[tuple[Any, int, Any]] = []
        self._paid: dict[Goal, tuple[NDArray[np.float64], NDArray[np.bool_]]] = {}

    def numbers(
        self, states: tuple[Any, ...], triples: Iterable[tuple[int, int, int]]
    ) -> NDArray[np.int64]:
        """[moves] the numbers of moves, each a state's place in `states`, an action, and a next."""
        known, moves, listed = self._states, self._moves, self._listed
        of_state = [known.setdefault(state, len(known)) for state in states]
        numbers = []
        for state, action, following in triples:
            key = (of_state[state], action, of_state[following])
            number = moves.setdefault(key, len(listed))
            if number == len(listed):
                listed.append((states[state], action, states[following]))
            numbers.append(number)
        return np.array(numbers, dtype=np.int64)

    def paid(self, goal: Goal, moves: NDArray[np.int64]) -> NDArray[np.float64]:
        """[moves] what the goal pays for each."""
        nothing = np.empty(0), np.empty(0, dtype=np.bool_)
        amount, asked = self._paid.get(goal, nothing)
        if len(amount) < len(self._listed):
            more = len(self._listed) - len(amount)
            amount, asked = np.append(amount, np.zeros(more)), np.append(asked, [False] * more)
            self._paid[goal] = amount, asked
        new = moves[~asked[moves]]
        reward, listed = goal.reward, self._listed
        amount[new] = [reward(*listed[move]) for move in new.tolist()]
        asked[new] = True
        return amount[moves]


@functools.lru_cache(maxsize=4)
def _known_moves(kind: tuple[Any, ...]) -> _KnownMoves:
    """Those of a kind of world, as `_kind` tells them apart: none before the first is asked for."""
    return _KnownMoves()


def _kind(world: World[Any]) -> tuple[Any, ...]:
    """`world` but for its condition."""
    known = (known.name for known in dataclasses.fields(world))
    return type(world), *(getattr(world, name) for name in known if name != "condition")


@functools.lru_cache(maxsize=64)
def _moves(
    compiled: CompiledWorld,
) -> tuple[_KnownMoves, NDArray[np.int64], NDArray[np.int64]]:
    """Where moves are numbered, the distinct moves, which of them each branch is; -1: at an end."""
    n_states, n_actions = compiled.mdp.n_states, compiled.mdp.n_actions
    counts = np.diff(compiled.branch_start)
    rows = np.repeat(np.arange(len(counts)), counts)
    open_ = np.flatnonzero(~compiled.ending[rows // n_actions])
    codes = rows[open_] * n_states + compiled.branch_next[open_]
    distinct, inverse = np.unique(codes, return_inverse=True)
    move_of_branch = np.full(len(rows), -1, dtype=np.int64)
    move_of_branch[open_] = inverse.ravel()
    row, following = np.divmod(distinct, n_states)
    parts = (row // n_actions, row % n_actions, following)
    triples = zip(*(part.tolist() for part in parts), strict=True)
    known = _known_moves(_kind(compiled.world))
    return known, known.numbers(compiled.states, triples), move_of_branch


def expected_rewards(compiled: CompiledWorld, goal: Goal) -> NDArray[np.float64]:
    """[S, A] the goal's expected reward for acting. Read-only, remembered."""
    return _expected_rewards(compiled.shared, goal)


@functools.lru_cache(maxsize=512)
def _expected_rewards(compiled: CompiledWorld, goal: Goal) -> NDArray[np.float64]:
    weighted = compiled.branch_probability * branch_rewards(compiled, goal)
    sums: NDArray[np.float64] = np.add.reduceat(weighted, compiled.branch_start[:-1])
    sums.flags.writeable = False
    return sums.reshape(compiled.mdp.n_states, compiled.mdp.n_actions)
