"""Which of some worlds stage a threat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from offswitch.errors import WorldError, nearest_name
from offswitch.worlds.registry import world_class

__all__ = ["Staging", "staging"]


class Staging(NamedTuple):
    """Worlds told apart by whether they stage a threat, each in the order asked for."""

    worlds: tuple[str, ...]
    left_out: tuple[str, ...]


def staging(worlds: Sequence[str], threat: str | None) -> Staging:
    """The worlds that stage `threat`, and the others; None is the first threat of each world.

    >>> staging(["star-v1", "boat-race-v1"], "pause")
    Staging(worlds=('boat-race-v1',), left_out=('star-v1',))

    Raises:
        WorldError: an unknown world, or a threat that none of the worlds stages.
    """
    threats = {world: world_class(world).threats for world in worlds}
    if threat is None:
        return Staging(tuple(threats), ())
    staged = tuple(world for world, names in threats.items() if threat in names)
    if not staged:
        known = sorted({name for names in threats.values() for name in names})
        message = nearest_name(threat, known, kind="threat")
        raise WorldError(f"{message} (looked in {', '.join(threats)})")
    return Staging(staged, tuple(world for world in threats if world not in staged))
