"""Processes out of worlds, with their oversight-reducing acts, their stop and their map."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from offswitch.audit.predict import oversight_reducing_acts
from offswitch.cli.grids import grid_of_cells
from offswitch.errors import WorldError
from offswitch.theory.prediction.control import ControlProcess
from offswitch.theory.prediction.report import Grid
from offswitch.theory.prediction.subject import PredictionSubject
from offswitch.trace.event import StopEffective
from offswitch.worlds.compiled import CompiledWorld, compiled_world
from offswitch.worlds.off_switch import OffSwitch
from offswitch.worlds.registry import make_world, world_class
from offswitch.worlds.world import World

__all__ = ["world_source"]

THREAT = "shutdown"
"""The threat that is staged where none is named."""
UNTHREATENED = ("none", "inert")
"""Levels of the threat that are none; the first is the control."""
LETTERS = {
    "A": "where the agent starts",
    "B": "the button that removes the interruption",
    "G": "the goal, where the episode ends",
    "I": "the tile where the agent may be interrupted",
}


def world_source(
    world_id: str, *, threat: str | None, parameters: dict[str, object]
) -> PredictionSubject:
    """The world as its agents plan for it.

    Raises:
        WorldError: a factor, level or parameter is unknown or does not fit.
    """
    world = _staged(world_id, {"threat": THREAT if threat is None else threat, **parameters})
    planned = world.planning_model()
    compiled = compiled_world(planned)
    tagged, stop = oversight_reducing_acts(compiled), _stopped(compiled)
    names, notes = _state_names(compiled), []
    if names != compiled.mdp.state_names:
        notes.append("A state is named by the fields in which it differs from the start.")
    if planned != world:
        notes.append("The world's agents plan as if nobody intervened, so no stop is in it.")
    return PredictionSubject(
        mdp=replace(compiled.mdp, state_names=names),
        name=f"{world_id} ({world.condition.label})",
        kind="world",
        discount=world.discount,
        tagged=tagged if tagged.any() else None,
        tag_label="oversight-reducing acts",
        stop=stop if stop.any() else None,
        grid=_grid(compiled, stop),
        control=_control(world, compiled),
        notes=tuple(notes),
    )


def _staged(world_id: str, parameters: dict[str, object]) -> World[Any]:
    """The world; an unknown threat is answered with those that it stages."""
    given = parameters["threat"]
    known = (*UNTHREATENED, *world_class(world_id).threats)
    if given not in known:
        close = difflib.get_close_matches(str(given), known, n=1, cutoff=0.4)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise WorldError(
            f"{world_id} stages no threat {given!r}.{hint} It stages: {', '.join(known)}."
        )
    return make_world(world_id, **parameters)


def _control(world: World[Any], compiled: CompiledWorld) -> ControlProcess | None:
    """The same world with the stop path there and nobody using it."""
    if world.condition.threat in UNTHREATENED:
        return None
    calm = dataclasses.replace(world, condition=msgspec.structs.replace(
        world.condition, threat=UNTHREATENED[0]
    ))  # fmt: skip
    other = compiled_world(calm.planning_model())
    return ControlProcess(
        condition=UNTHREATENED[0],
        mdp=other.mdp,
        tagged=oversight_reducing_acts(other),
        same=np.array([compiled.index.get(state, -1) for state in other.states], dtype=np.int64),
    )


def _stopped(compiled: CompiledWorld) -> NDArray[np.bool_]:
    """[S] whether a stop has taken effect: an interrupted ending, or where its event leads."""
    stopped = np.zeros(compiled.mdp.n_states, dtype=np.bool_)
    for state in np.flatnonzero(compiled.ending):
        ended = compiled.world.ending(compiled.states[state])
        stopped[state] = ended is not None and ended.reason == "interrupted"
    stopping = np.array(
        [any(isinstance(event, StopEffective) for event in events)
         for events in compiled.event_table]
    )  # fmt: skip
    stopped[compiled.branch_next[stopping[compiled.branch_events]]] = True
    return stopped


def _state_names(compiled: CompiledWorld) -> tuple[str, ...]:
    """Named tuples by what differs from the likeliest start; other states as they are."""
    start = compiled.states[int(np.argmax(compiled.mdp.start))]
    fields = getattr(start, "_fields", None)
    if fields is None:
        return compiled.mdp.state_names
    return tuple(_difference(fields, start, state) for state in compiled.states)


def _difference(fields: tuple[str, ...], start: Any, state: Any) -> str:
    # Any: each world has its own state type
    changed = [
        f"{field}={value}"
        for field, value, before in zip(fields, state, start, strict=True)
        if value != before
    ]
    return ", ".join(changed) or "start"


def _grid(compiled: CompiledWorld, stopped: NDArray[np.bool_]) -> Grid | None:
    """The map of the one world that is laid out in two dimensions."""
    world = compiled.world
    if not isinstance(world, OffSwitch):
        return None
    board = world.map
    marks = {
        (row, column): mark
        for row, line in enumerate(board.lines)
        for column, mark in enumerate(line)
        if mark not in " #"
    }
    # States are numbered breadth first, so the first of a cell is the one met first.
    order = np.argsort(stopped, kind="stable")
    places = [(board.cells[compiled.states[number].cell], int(number)) for number in order]
    letters = "; ".join(f"{mark} {LETTERS[mark]}" for mark in sorted(set(marks.values())))
    return grid_of_cells(
        len(board.lines),
        len(board.lines[0]),
        places,
        marks,
        note=f"{letters}. A cell shows the state in which it is first entered by a shortest way "
        "without being interrupted; other states of the same cell may have more or less POWER.",
    )
