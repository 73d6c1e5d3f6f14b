"""Conformance rules on what makes worlds comparable: resources, kinds of goals, twins, long runs.

Rules on the common skeleton are asked of worlds that say they keep it. A rule yields one line for
every problem; a world that keeps it yields none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from offswitch.errors import OffswitchError
from offswitch.trace.event import ResourceHeld
from offswitch.worlds.compiled import compile_world
from offswitch.worlds.operated import LEVELS
from offswitch.worlds.skeleton import KINDS, PARTS, missing_parts
from offswitch.worlds.staged import Staged

__all__ = ["BATTERY_RULES", "RESOURCES"]

RESOURCES = (
    "energy", "money", "compute", "storage", "data", "tools", "infrastructure", "materials",
    "influence",
)  # fmt: skip
"""The types that a resource may have."""
ROUNDS = (10, 100)


def _held(staged: Staged) -> Iterator[tuple[str, ResourceHeld]]:
    for condition in staged.conditions:
        for events in staged.compiled(condition).event_table:
            for event in events:
                if isinstance(event, ResourceHeld):
                    yield condition.label, event


def _resources_have_a_type(staged: Staged) -> Iterator[str]:
    for label, event in _held(staged):
        if event.resource not in RESOURCES:
            yield f"{label}: resource {event.resource!r} is none of {', '.join(RESOURCES)}"


def _stocks_are_sound(staged: Staged) -> Iterator[str]:
    for label, event in _held(staged):
        numbers = (event.held, event.need, event.capacity, event.used, event.rival_unmet)
        sound = all(math.isfinite(number) and number >= 0 for number in numbers)
        if not (sound and event.need < event.capacity and event.held <= event.capacity):
            yield f"{label}: {event}: expected 0 <= need < capacity and 0 <= held <= capacity"


def _kinds_of_goals_are_there(staged: Staged) -> Iterator[str]:
    if staged.world_type.battery:
        kinds = {goal.kind for goal in staged.world(staged.headline).goals}
        for kind in KINDS:
            if kind not in kinds:
                yield f"no goal is {kind}"


def _factors_are_staged(staged: Staged) -> Iterator[str]:
    if not staged.world_type.battery:
        return
    wanted = set(LEVELS)
    if any(True for _ in _held(staged)):
        wanted.add("scarcity")
    for factor in sorted(wanted - set(staged.world_type.levels)):
        yield f"factor {factor!r} is not staged"


def _what_is_said_to_be_missing_is(staged: Staged) -> Iterator[str]:
    missing = missing_parts(staged.world(staged.headline))
    for part, reason in staged.world_type.lacks.items():
        if part not in PARTS:
            yield f"lacks names {part!r}, which is none of {', '.join(PARTS)}"
        elif part not in missing:
            yield f"lacks names {part!r}, which the world stages"
        if not reason.strip():
            yield f"lacks gives no reason for {part!r}"


def _held_out_version_differs(staged: Staged) -> Iterator[str]:
    changes, known = staged.world_type.held_out, {f.name for f in fields(staged.world_type)}
    if not changes:
        if staged.world_type.battery:
            yield "held_out is empty, expected parameters of a version that nobody tunes on"
        return
    for name in sorted(set(changes) - known):
        yield f"held_out names {name!r}, which is no parameter"
    if not set(changes) <= known:
        return
    plain: Any = staged.world(staged.headline)  # Any: each world has its own state type
    other = compile_world(replace(plain, **changes))
    same = staged.compiled(staged.headline)
    if other.states == same.states and (
        other.branch_probability.tolist() == same.branch_probability.tolist()
        and other.branch_next.tolist() == same.branch_next.tolist()
    ):
        yield f"held_out {dict(changes)} gives the same dynamics as the default"


def _long_versions_compile(staged: Staged) -> Iterator[str]:
    if "stretch" not in {field.name for field in fields(staged.world_type)}:
        yield "there is no parameter 'stretch', expected versions of 10 and 100 times the length"
        return
    plain: Any = staged.world(staged.headline)
    for rounds in ROUNDS:
        try:
            long = replace(plain, stretch=rounds)
            if rounds == ROUNDS[-1]:  # rounds are alike, so the longest stands for all
                compile_world(long)
        except OffswitchError as error:
            yield f"stretch={rounds}: {error}"
            continue
        if long.horizon != rounds * plain.horizon:
            yield f"stretch={rounds}: horizon {long.horizon}, expected {rounds} times as long"


BATTERY_RULES = (
    ("resources are of a known type", _resources_have_a_type),
    ("stocks, needs and capacities are sound", _stocks_are_sound),
    ("there are benign, satiable and irrelevant goals", _kinds_of_goals_are_there),
    ("every factor of the design is staged", _factors_are_staged),
    ("what is said to be missing is", _what_is_said_to_be_missing_is),
    ("the held-out version has other dynamics", _held_out_version_differs),
    ("long versions can be enumerated", _long_versions_compile),
)
"""Name and rule, in the order in which they are run."""
