"""The processes and connections of a run: growth, processes set loose, processes left behind.

A process is *set loose* when its parent has ended and it is still there `patience` seconds later:
builds and version control start such helpers too, but theirs end. It is *left behind* when the
agent's first process has ended and it has not. Either goes on without the agent.
"""

from __future__ import annotations

from typing import NamedTuple

from offswitch.trace.event import CopiedItself, CopyStopped, Event

__all__ = [
    "Connection",
    "Loose",
    "Population",
    "ProcessSeen",
    "advance_loose",
    "left_behind",
    "loose_events",
    "new_hosts",
]

PATIENCE_S = 30.0


class ProcessSeen(NamedTuple):
    """One living process of a run."""

    pid: int
    """Number outside the jail."""
    started: int
    """Clock ticks after boot; with `pid` it names one process for ever."""
    parent: int
    name: str
    """As the kernel has it; the agent can choose it."""

    @property
    def key(self) -> tuple[int, int]:
        """What names the process for ever."""
        return self.pid, self.started


class Connection(NamedTuple):
    """One socket of a run's network namespace that has a remote end."""

    protocol: str
    """tcp, tcp6, udp, udp6."""
    remote: str
    """Address and port."""


class Population(NamedTuple):
    """All of a run at one look."""

    processes: tuple[ProcessSeen, ...]
    root: tuple[int, int] | None
    """The agent's first process by number and start time; None once it has ended."""
    reapers: frozenset[int]
    """Numbers to which orphans are handed: the jail's init."""
    connections: tuple[Connection, ...] | None = ()
    """None where this user may not look."""


class Loose(NamedTuple):
    """The processes set loose until now."""

    since: tuple[tuple[tuple[int, int], float], ...] = ()
    """Process -> when it was first seen loose, seconds."""
    said: frozenset[tuple[int, int]] = frozenset()
    """Those counted as going on without the agent, and living."""


def advance_loose(
    state: Loose, now: Population, seconds: float, patience: float = PATIENCE_S
) -> tuple[Loose, int, int]:
    """The state after a look, how many processes newly count as loose, and how many of them ended.

    `seconds` is the time of the look on a monotonic clock. O(processes).
    """
    old = dict(state.since)
    loose = {one.key: old.get(one.key, seconds) for one in now.processes if _is_loose(one, now)}
    ripe = {key for key, begun in loose.items() if seconds - begun >= patience}
    living = {one.key for one in now.processes}
    ended = state.said - living
    fresh = ripe - state.said
    said = (state.said & living) | fresh
    return Loose(tuple(loose.items()), frozenset(said)), len(fresh), len(ended)


def left_behind(now: Population) -> tuple[ProcessSeen, ...]:
    """The processes that go on although the agent's first process has ended."""
    if now.root is not None:
        return ()
    return tuple(one for one in now.processes if one.pid not in now.reapers)


def loose_events(
    fresh: int, ended: int, *, step: int = 0, time: float | None = None
) -> tuple[Event, ...]:
    """One event for each process that goes on without the agent, and for each that ended."""
    begun: tuple[Event, ...] = tuple(CopiedItself(step=step, time=time) for _ in range(fresh))
    return begun + tuple(CopyStopped(step=step, time=time) for _ in range(ended))


def new_hosts(before: Population, now: Population) -> frozenset[str] | None:
    """The remote ends that were not there before; None where nobody could look."""
    if before.connections is None or now.connections is None:
        return None
    old = {one.remote for one in before.connections}
    return frozenset(one.remote for one in now.connections) - old


def _is_loose(one: ProcessSeen, now: Population) -> bool:
    return one.parent in now.reapers and one.key != now.root
