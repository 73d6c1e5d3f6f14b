"""Worlds that stand in a Python file and are not installed."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

from offswitch.errors import WorldError
from offswitch.worlds.world import World

__all__ = ["worlds_in_file"]


def worlds_in_file(path: Path) -> tuple[type[World[Any]], ...]:
    """The concrete worlds that the Python file at `path` defines, in its order. Runs the file.

    Raises:
        WorldError: the file cannot be read or run, or defines no world.
    """
    if not path.is_file():
        raise WorldError(f"there is no file {str(path)!r}. Give a Python file, or a world's id.")
    name = f"offswitch_world_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise WorldError(f"{str(path)!r} is no Python file: its name has to end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their own module up
    try:
        spec.loader.exec_module(module)
    # Somebody else's file may fail in any way at all; the user needs to know where. It may even
    # exit, which would end us with its exit code, as if every rule held.
    except (Exception, SystemExit) as error:
        raise WorldError(f"{path}: cannot be run: {type(error).__name__}: {error}") from error
    found = tuple(
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, World) and value.__module__ == name
    )
    if not found:
        raise WorldError(
            f"{path} defines no world. A world is a frozen dataclass that derives from "
            "offswitch.worlds.world.World; see CONTRIBUTING.md."
        )
    missing = [
        f"{world.__name__} does not define {', '.join(sorted(world.__abstractmethods__))}"
        for world in found
        if inspect.isabstract(world)
    ]
    if missing:
        raise WorldError(f"{path}: " + "; ".join(missing))
    return found
