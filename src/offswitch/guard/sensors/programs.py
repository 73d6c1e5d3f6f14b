"""The programs that a run was seen to start, and from which process of it each came.

A process with the program and the command line of the one it came from is a fork of it and no
start, and neither is what the agent's own first process executes in its place.

CAVEAT: a look every half second at best sees what lives that long, and of a program that executed
another in its place perhaps only the second; under the same name that second is seen only once it
starts something. A process may bear any name and any command line: a start can be dressed as a fork
or as another program, and a fork that gives itself another command line looks like a start.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, final

import msgspec

from offswitch.guard.sensors.population import Population, ProcessSeen
from offswitch.guard.sensors.workspace import shown_path

__all__ = ["MOST_STARTS", "Known", "Program", "Start", "StartLog", "advance_programs"]

MOST_STARTS = 2000
"""Starts of a run that are kept, the first; later ones are counted."""
_TICK = os.sysconf("SC_CLK_TCK")
_LONGEST, _LONGEST_PATH = 200, 1000
Key: TypeAlias = tuple[int, int]


class Program(NamedTuple):
    """What a process runs."""

    path: str
    """Of the executable, as the kernel has it; empty where this user may not look."""
    command: bytes
    """The beginning of its command line, as the process has it now."""


class Start(msgspec.Struct, frozen=True):
    """One program that was started."""

    process: Key
    by: Key | None
    """The process that came of a start itself, or the agent's first, from which it was forked; None
    where its parent had ended before anybody looked."""
    seconds: float
    """Since 1970: the beginning of its process, or when it was first seen to run this program."""
    names: tuple[str, ...]
    """The executable's, the one it was called by, and the process's own."""
    path: str = ""
    """Of the executable, as the kernel has it; empty where nobody may look."""


class Known(NamedTuple):
    """What is remembered of a living process."""

    name: str
    program: Program
    origin: Key
    """The process of which this one is a fork, or itself."""


@final
class StartLog:
    """The starts of a run, as the sensor process tells them."""

    def __init__(self) -> None:
        self.kept: list[Start] = []
        self.left_out: int | None = None
        """Starts beyond the bound; None while nobody has looked."""

    def add(self, starts: Iterable[Start]) -> None:
        """Note what one look found."""
        self.left_out = self.left_out or 0
        for one in starts:
            if len(self.kept) < MOST_STARTS:
                self.kept.append(one)
            else:
                self.left_out += 1


def advance_programs(
    known: Mapping[Key, Known],
    now: Population,
    root: Key | None,
    program_of: Callable[[int], Program | None],
    wall_s: float,
    boot_s: float,
) -> tuple[dict[Key, Known], tuple[Start, ...]]:
    """What is known after a look, and the programs that were started since the last.

    `root` is the agent's first process, ended or not. `program_of` is asked for it, for processes
    that are new, have another name or have started something. The clocks are those of the look:
    seconds since 1970, and since the boot. O(processes).
    """
    look = _Look(known, now, root, program_of, wall_s, wall_s - boot_s)
    for one in sorted(now.processes, key=lambda one: (one.started, one.pid)):  # parents come first
        look.take(one)
    return look.after, tuple(look.starts)


@dataclass
class _Look:
    known: Mapping[Key, Known]
    now: Population
    root: Key | None
    program_of: Callable[[int], Program | None]
    wall_s: float
    booted_s: float
    after: dict[Key, Known] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)

    def __post_init__(self) -> None:
        reapers, processes = self.now.reapers, self.now.processes
        self.by_pid = {one.pid: one.key for one in processes if one.pid not in reapers}
        self.parents = {one.parent for one in processes if one.key not in self.known}

    def take(self, one: ProcessSeen) -> None:
        old = self.known.get(one.key)
        if old is not None and old.name == one.name and not self.has_changed(one):
            self.after[one.key] = old
            return
        program = self.program_of(one.pid)
        if program is None:  # it has ended
            return
        is_own = one.key == self.root or one.pid in self.now.reapers
        if is_own or (old is not None and old.program == program):
            origin = one.key if old is None else old.origin
            self.after[one.key] = Known(one.name, program, origin)
        else:
            self.arrived(one, old, program)

    def has_changed(self, one: ProcessSeen) -> bool:
        """Whether it may run another program of the same name, or what it started is to be told
        from a fork of it."""
        return one.key == self.root or one.pid in self.parents

    def arrived(self, one: ProcessSeen, old: Known | None, program: Program) -> None:
        """A process that is new, or `old` with another program."""
        key = self.by_pid.get(one.parent)
        parent = None if key is None else self.after.get(key)
        kin = parent or (None if self.root is None else self.after.get(self.root))
        if old is None and kin is not None and kin.program == program:
            self.after[one.key] = Known(one.name, program, kin.origin)
            return
        came = old or parent
        seconds = self.wall_s if old else self.booted_s + one.started / _TICK
        path = shown_path(program.path)[:_LONGEST_PATH]
        names = _names(one, program)
        self.starts.append(Start(one.key, came and came.origin, seconds, names, path))
        self.after[one.key] = Known(one.name, program, one.key)


def _names(one: ProcessSeen, program: Program) -> tuple[str, ...]:
    called = program.command.partition(b"\0")[0].decode("utf-8", "backslashreplace")
    path = shown_path(program.path).removesuffix(" (deleted)")
    paths = (path, called.removeprefix("-"), one.name)
    names = (re.sub(r".*/", "", path, flags=re.DOTALL)[:_LONGEST] for path in paths)
    return tuple(dict.fromkeys(name for name in names if name)) or ("?",)
