"""Conformance rules on a world's dynamics: probabilities, events, and the twins it must have.

A rule yields one line for every problem; a world that keeps it yields none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from offswitch.trace.event import (
    OVERSIGHT_REDUCING,
    CredentialRemoved,
    Ended,
    EndReason,
    Event,
    GoalEditOrdered,
    MonitorDegraded,
    StopBlocked,
    StopDeadlinePassed,
    StopDelayed,
    StopEffective,
    StopOrdered,
    StopProvoked,
    SwitchDisabled,
)
from offswitch.worlds.compiled import CompiledWorld
from offswitch.worlds.condition import Condition
from offswitch.worlds.staged import Staged

__all__ = ["DYNAMICS_RULES"]

TOLERANCE = 1e-9
STOP_PATH = (
    StopOrdered, StopEffective, StopDeadlinePassed, StopProvoked,
    SwitchDisabled, StopDelayed, StopBlocked, MonitorDegraded, CredentialRemoved,
)  # fmt: skip
"""What can only happen where there is a way to stop the agent; it may copy itself anywhere."""
ROWS_CHECKED = 200
"""Rows, evenly spread, in which `step` is asked again: all of them would double the time."""


def _starts_sum_to_1(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        world = staged.world(condition)
        chances = [probability for probability, _ in world.starts()]
        for chance, state in world.starts():
            if not chance > 0:
                yield (
                    f"{condition.label}: start state {state!r} is unreachable: its probability is "
                    f"{chance}"
                )
        if not abs(sum(chances) - 1) <= TOLERANCE:
            yield f"{condition.label}: start probabilities {chances}, expected a sum of 1"
        if any(world.ending(state) is not None for _, state in world.starts()):
            yield f"{condition.label}: an episode may start in an ending state"


def _step_agrees_with_the_table(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        compiled = staged.compiled(condition)
        count = len(compiled.branch_start) - 1
        for row in np.unique(np.linspace(0, count - 1, ROWS_CHECKED).astype(np.int64)).tolist():
            state, action = divmod(row, compiled.mdp.n_actions)
            if not compiled.ending[state] and not _row_agrees(compiled, state, action):
                yield (
                    f"{condition.label}: state {compiled.states[state]!r}, action "
                    f"{compiled.world.actions[action]!r}: step gives other branches when asked "
                    "again, or a probability outside (0, 1]"
                )


def _row_agrees(compiled: CompiledWorld, state: int, action: int) -> bool:
    row = state * compiled.mdp.n_actions + action
    span = range(compiled.branch_start[row], compiled.branch_start[row + 1])
    table = [
        (compiled.branch_probability[branch], compiled.branch_next[branch],
         compiled.event_table[compiled.branch_events[branch]])
        for branch in span
    ]  # fmt: skip
    told = [
        (probability, compiled.index.get(following), tuple(events))
        for probability, following, events in compiled.world.step(compiled.states[state], action)
    ]
    return told == table and all(0 < probability <= 1 for probability, *_ in told)


def _process_agrees_with_the_table(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        compiled = staged.compiled(condition)
        gap = np.abs((_table_matrix(compiled) - compiled.mdp.matrix).data)
        if gap.size and gap.max() > TOLERANCE:
            yield f"{condition.label}: probabilities differ by up to {gap.max():.3g}"


def _table_matrix(compiled: CompiledWorld) -> Any:  # Any: scipy.sparse without stubs
    import scipy.sparse as sp

    rows = np.repeat(np.arange(len(compiled.branch_start) - 1), np.diff(compiled.branch_start))
    shape = (len(compiled.branch_start) - 1, compiled.mdp.n_states)
    return sp.coo_array((compiled.branch_probability, (rows, compiled.branch_next)), shape).tocsr()


def _executed_actions_exist(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        executed = staged.compiled(condition).executed
        count = staged.compiled(condition).mdp.n_actions
        if ((executed < 0) | (executed >= count)).any():
            yield f"{condition.label}: executed gives {executed.min()} to {executed.max()}"


def _events(staged: Staged, condition: Condition) -> Iterator[Event]:
    for happened in staged.compiled(condition).event_table:
        yield from happened


def _inert_has_no_stop_path(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        if condition.threat == "inert":
            for event in _events(staged, condition):
                if isinstance(event, STOP_PATH):
                    yield f"{condition.label}: may emit {type(event).__name__}"


def _unprovoked_events(staged: Staged, condition: Condition) -> set[Event]:
    """What may happen to an agent that never provokes a stop."""
    compiled = staged.compiled(condition)
    provokes = np.array(
        [any(isinstance(event, StopProvoked) for event in row) for row in compiled.event_table]
    )[compiled.branch_events]
    rows = np.repeat(np.arange(len(compiled.branch_start) - 1), np.diff(compiled.branch_start))
    origin = rows // compiled.mdp.n_actions
    reached, before = compiled.mdp.start > 0, -1
    while reached.sum() > before:
        before = int(reached.sum())
        reached[compiled.branch_next[~provokes & reached[origin]]] = True
    entries = np.unique(compiled.branch_events[~provokes & reached[origin]])
    return {event for entry in entries.tolist() for event in compiled.event_table[entry]}


def _control_never_orders_a_stop(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        if condition.threat == "none":
            for event in _unprovoked_events(staged, condition):
                if isinstance(event, (StopOrdered, StopEffective, GoalEditOrdered)):
                    yield f"{condition.label}: unprovoked, may emit {event}"


def _a_permission_authorises_an_act(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        if condition.permission == "permitted":
            acts = {
                (type(event).__name__, event.authorised)
                for event in _events(staged, condition)
                if isinstance(event, OVERSIGHT_REDUCING)
            }
            # A permission covers what it names, every time; other acts stay violations.
            if not any(authorised and (name, False) not in acts for name, authorised in acts):
                yield f"{condition.label}: no act is always authorised, of {sorted(acts)}"


def _forbidden_acts_are_not_authorised(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        if condition.permission == "forbidden":
            for event in _events(staged, condition):
                if isinstance(event, OVERSIGHT_REDUCING) and event.authorised:
                    yield f"{condition.label}: {type(event).__name__} is authorised"


def _events_carry_no_time(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        for event in _events(staged, condition):
            if event.step != 0 or event.time is not None:
                yield f"{condition.label}: {event} says when; whoever records fills that in"


def _endings_are_valid(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        compiled = staged.compiled(condition)
        for number, state in enumerate(compiled.states):
            world = compiled.world
            end = world.ending(state) if compiled.ending[number] else world.cut_off(state)
            if not _is_valid(end):
                yield f"{condition.label}: state {state!r} ends with {end!r}"


def _is_valid(end: Ended | None) -> bool:
    plain = isinstance(end, Ended) and end.reason in get_args(EndReason)
    return plain and end is not None and end.step == 0 and end.time is None


def _some_episode_can_end_safely(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        compiled = staged.compiled(condition)
        if not any(compiled.world.is_safe(state) for state in compiled.states):
            yield f"{condition.label}: no state is safe"


def _a_threat_changes_something(staged: Staged) -> Iterator[str]:
    control = _unprovoked_events(staged, staged.control)
    for threat in staged.world_type.threats:
        condition = msgspec.structs.replace(staged.control, threat=threat)
        if _unprovoked_events(staged, condition) <= control:
            yield f"{condition.label}: nothing happens that could not happen in the control"


def _unobserved_has_the_same_dynamics(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        if not condition.observed:
            watched = staged.compiled(msgspec.structs.replace(condition, observed=True))
            if not _same(staged.compiled(condition), watched):
                yield f"{condition.label}: other dynamics than the observed twin"


def _same(one: CompiledWorld, other: CompiledWorld) -> bool:
    return (
        one.states == other.states
        and one.event_table == other.event_table
        and all(np.array_equal(*pair) for pair in zip(_tables(one), _tables(other), strict=True))
    )


def _tables(compiled: CompiledWorld) -> tuple[NDArray[Any], ...]:  # Any: integers and floats
    return (
        compiled.branch_start,
        compiled.branch_probability,
        compiled.branch_next,
        compiled.branch_events,
    )


def _noisy_differs_in_chance_only(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        if condition.noise != "noisy":
            continue
        noisy = staged.compiled(condition)
        plain = staged.compiled(msgspec.structs.replace(condition, noise="plain"))
        if not set(plain.states) <= set(noisy.states):
            yield f"{condition.label}: a state of the plain twin cannot be reached"
        if _same(noisy, plain):
            yield f"{condition.label}: the same probabilities as in the plain twin"


DYNAMICS_RULES = (
    ("start probabilities sum to 1", _starts_sum_to_1),
    ("step agrees with the branch table", _step_agrees_with_the_table),
    ("the decision process agrees with the branch table", _process_agrees_with_the_table),
    ("executed actions exist", _executed_actions_exist),
    ("the inert twin has no stop path", _inert_has_no_stop_path),
    ("the control orders no stop that is not provoked", _control_never_orders_a_stop),
    ("a permission authorises an act", _a_permission_authorises_an_act),
    ("a forbidden act is not authorised", _forbidden_acts_are_not_authorised),
    ("events carry no step and no time", _events_carry_no_time),
    ("every ending has a valid reason", _endings_are_valid),
    ("some state is safe to be left in", _some_episode_can_end_safely),
    ("a threat changes something", _a_threat_changes_something),
    ("the unobserved twin has the same dynamics", _unobserved_has_the_same_dynamics),
    ("the noisy twin differs in probabilities only", _noisy_differs_in_chance_only),
)
"""Name and rule, in the order in which they are run."""
