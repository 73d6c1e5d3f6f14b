"""Countermeasures by name, from the entry points `offswitch.countermeasures`."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import typing
from typing import Any

import msgspec

from offswitch.countermeasures.setting import Countermeasure
from offswitch.errors import WorldError, nearest_name

__all__ = ["countermeasure_class", "countermeasure_names", "parse_countermeasure"]

GROUP = "offswitch.countermeasures"
LISTER = "offswitch list countermeasures"


@functools.cache
def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}


def countermeasure_names() -> tuple[str, ...]:
    """The names of every installed countermeasure, sorted."""
    return tuple(sorted(_entry_points()))


def countermeasure_class(name: str) -> type[Any]:
    """The frozen dataclass of the countermeasure called `name`.

    Raises:
        WorldError: there is none; the nearest name is suggested.
    """
    points = _entry_points()
    if name not in points:
        raise WorldError(nearest_name(name, points, kind="countermeasure", lister=LISTER))
    loaded: type[Any] = points[name].load()
    return loaded


def parse_countermeasure(spec: str) -> Countermeasure:
    """The countermeasure of `NAME` or `NAME:param=value,param=value`.

    >>> parse_countermeasure("utility-indifference:kappa=0.5").kappa
    0.5

    Raises:
        WorldError: unknown name or parameter, or a value of the wrong type.
    """
    name, _, rest = spec.partition(":")
    cls = countermeasure_class(name)
    hints = typing.get_type_hints(cls)
    known = {field.name for field in dataclasses.fields(cls) if field.init}
    values: dict[str, Any] = {}  # Any: each parameter has its own type
    for part in filter(None, rest.split(",")):
        key, equals, text = part.partition("=")
        if not equals:
            raise WorldError(f"{name}: got {part!r}, expected param=value")
        if key not in known:
            raise WorldError(f"{name}: " + nearest_name(key, known, kind="parameter"))
        if key in values:
            raise WorldError(f"{name}: {key} is given twice; give it once")
        try:
            values[key] = msgspec.convert(text, type=hints[key], strict=False)
        except msgspec.ValidationError as error:
            raise WorldError(f"{name}: {key}={text!r}: {error}") from None
    countermeasure: Countermeasure = cls(**values)
    return countermeasure
