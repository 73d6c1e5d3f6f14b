"""The names that an audit or a study is given: all that are unknown are told at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from offswitch.agents.registry import parse_agent
from offswitch.drives.drive import Drive
from offswitch.drives.registry import installed_drives
from offswitch.errors import AuditError, OffswitchError, WorldError, nearest_name, problems_text
from offswitch.worlds.registry import world_class

__all__ = [
    "drive_named",
    "raise_any",
    "require_goals",
    "require_known",
    "unknown_goals",
    "unknown_names",
]


def drive_named(name: str) -> Drive[Any]:  # Any: each drive has its own memory
    """The installed drive called `name`.

    Raises:
        AuditError: there is none; the nearest is suggested.
    """
    known = {drive.name: drive for drive in installed_drives()}
    if name not in known:
        raise AuditError(nearest_name(name, known, kind="drive", lister="offswitch list drives"))
    return known[name]


def require_known(
    *, agents: Iterable[str] = (), worlds: Iterable[str] = (), drives: Iterable[str] = ()
) -> None:
    """Nothing where every name is known.

    Raises:
        OffswitchError: one is not; an AuditError that lists them where several are not.
    """
    raise_any(unknown_names(agents=agents, worlds=worlds, drives=drives))


def require_goals(goals: Iterable[str], known: Collection[str], worlds: Sequence[str]) -> None:
    """Nothing where every goal is one of those `known` in these worlds.

    Raises:
        OffswitchError: as `require_known`.
    """
    raise_any(unknown_goals(goals, known, worlds))


def unknown_names(
    *, agents: Iterable[str] = (), worlds: Iterable[str] = (), drives: Iterable[str] = ()
) -> list[OffswitchError]:
    """What is wrong with each unknown name, and with a specification that cannot be read."""
    return [
        *_refusals(drive_named, drives),
        *_refusals(parse_agent, agents),
        *_refusals(world_class, worlds),
    ]


def unknown_goals(
    goals: Iterable[str], known: Collection[str], worlds: Sequence[str]
) -> list[OffswitchError]:
    """What is wrong with each goal that is none of those `known` in these worlds."""
    where = f" (looked in {', '.join(worlds)})"
    return [
        WorldError(nearest_name(goal, known, kind="goal", lister="offswitch list goals") + where)
        for goal in goals
        if goal not in known
    ]


def raise_any(problems: Sequence[OffswitchError]) -> None:
    """Nothing without a problem; one is raised as it is, several in one error."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise AuditError(problems_text("the names given", [str(one) for one in problems]))


def _refusals(known: Callable[[str], object], names: Iterable[str]) -> list[OffswitchError]:
    problems: list[OffswitchError] = []
    for name in dict.fromkeys(names):
        try:
            known(name)
        except OffswitchError as problem:
            problems.append(problem)
    return problems
