"""Worlds by id, ours and other people's, from the entry points `offswitch.worlds`."""

from __future__ import annotations

import difflib
import functools
import importlib.metadata
import math
import typing
from dataclasses import fields
from typing import Any

import msgspec

from offswitch.errors import WorldError, nearest_name, problems_text
from offswitch.worlds.condition import Condition
from offswitch.worlds.world import World

__all__ = ["make_world", "world_class", "world_ids"]

GROUP = "offswitch.worlds"


@functools.cache
def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}


def world_ids() -> tuple[str, ...]:
    """The ids of every installed world, sorted."""
    return tuple(sorted(_entry_points()))


def world_class(world_id: str) -> type[World[Any]]:
    """The class of the world called `world_id`.

    Raises:
        WorldError: there is no such world (the nearest id is suggested), or it is no World.
    """
    points = _entry_points()
    if world_id not in points:
        raise WorldError(
            nearest_name(world_id, points, kind="world", lister="offswitch list worlds")
        )
    loaded = points[world_id].load()
    if not (isinstance(loaded, type) and issubclass(loaded, World)):
        raise WorldError(
            f"the entry point {world_id!r} gives {loaded!r}, expected a subclass of "
            "offswitch.worlds.World"
        )
    return loaded


def make_world(world_id: str, /, **parameters: Any) -> World[Any]:  # Any: each world's own fields
    """The world called `world_id`; keywords are factors of the condition or fields of the world.

    >>> make_world("star-v1", threat="none", terminals=5).condition.label
    'none,observed'

    Raises:
        WorldError: unknown world, factor, level or parameter.
    """
    cls = world_class(world_id)
    condition = parameters.pop("condition", Condition())
    factors = {
        name: parameters.pop(name)
        for name in list(parameters)
        if name in Condition.__struct_fields__
    }
    known = [field.name for field in fields(cls) if field.name != "condition"]
    for name in parameters:
        if name not in known:
            raise WorldError(
                f"{world_id}: unknown parameter {name!r}.{_nearest(name, known)} Parameters: "
                f"{', '.join(known)}. Factors: {', '.join(Condition.__struct_fields__)}."
            )
    if not isinstance(condition, Condition):
        raise WorldError(f"{world_id}: condition is {condition!r}, expected a Condition")
    problems = _ill_typed(cls, parameters)
    if problems:
        raise WorldError(problems_text(world_id, problems))
    try:
        condition = msgspec.convert(
            {**msgspec.structs.asdict(condition), **factors}, type=Condition
        )
    except msgspec.ValidationError as error:
        levels = "; ".join(_levels(name) for name in factors)
        raise WorldError(
            f"{world_id}: condition is malformed: {error}. Expected {levels}."
        ) from None
    return cls(condition=condition, **parameters)


def _levels(factor: str) -> str:
    """Such as "noise 'plain' or 'noisy'"."""
    names = typing.get_args(typing.get_type_hints(Condition)[factor])
    return f"{factor} " + (" or ".join(repr(name) for name in names) or "true or false")


def _nearest(name: str, known: list[str]) -> str:
    names = [*known, *Condition.__struct_fields__]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    return f" Did you mean {close[0]!r}?" if close else ""


def _ill_typed(cls: type[World[Any]], parameters: dict[str, Any]) -> list[str]:
    """What is wrong with the types of `parameters`; ranges are the world's own business."""
    hints = typing.get_type_hints(cls)
    problems = []
    for name, value in parameters.items():
        if typing.get_origin(hints[name]) is typing.Literal and isinstance(value, str):
            continue  # the world says which values it knows, with its other problems
        try:
            converted = msgspec.convert(value, type=hints[name])
        except msgspec.ValidationError as error:
            problems.append(f"{name}={value!r}: {error}")
            continue
        if isinstance(converted, float) and not math.isfinite(converted):
            problems.append(f"{name}={value!r}, expected a finite number")
    return problems
