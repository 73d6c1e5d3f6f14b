"""Independent tasks in worker processes or on a Ray cluster, in an order that never shows.

What a task finds depends on the task alone, so the results are the same whatever the number of
workers. Each result is on disk before the next is begun: an interrupted run keeps what it finished.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Generic, Literal, TypeAlias, TypeVar

import msgspec

from offswitch.audit.journal import close_progress, open_progress
from offswitch.errors import AuditError

__all__ = ["ExecutorKind", "Kept", "Progress", "in_processes", "run_tasks"]

Task = TypeVar("Task")
Result = TypeVar("Result", bound=msgspec.Struct)

ExecutorKind: TypeAlias = Literal["processes", "ray"]
Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with the task just finished, how many are, and how many there are."""


@dataclass(frozen=True)
class Kept(Generic[Result]):
    """Where the results of a study's tasks are kept until its report is written."""

    folder: Path
    result_type: type[Result]

    @classmethod
    def opened(
        cls, out: Path, settings: msgspec.Struct, result_type: type[Result], *, resume: bool
    ) -> Kept[Result]:
        """An empty keep in `out`, or the earlier one when resuming.

        Raises:
            AuditError: `out` cannot be written, or the earlier run had other settings.
        """
        return cls(open_progress(out, settings, resume=resume), result_type)

    def load(self, name: str) -> Result | None:
        """The result of the task `name`; None where it is not finished.

        Raises:
            AuditError: the file was edited.
        """
        path = self._path(name)
        if not path.exists():
            return None
        try:
            return msgspec.json.decode(path.read_bytes(), type=self.result_type)
        except msgspec.DecodeError as error:
            raise AuditError(
                f"{path} is no result of this run ({error}). It was edited; run without --resume "
                "to start over."
            ) from None

    def store(self, name: str, result: Result) -> None:
        """Keep a result; a file is whole or not there at all."""
        path = self._path(name)
        partly = path.with_suffix(f".{os.getpid()}.partly")
        partly.write_bytes(msgspec.json.encode(result, order="sorted"))
        partly.replace(path)

    def close(self) -> None:
        """Delete what was kept: the report holds everything now."""
        close_progress(self.folder)

    def _path(self, name: str) -> Path:
        return self.folder / (hashlib.sha256(name.encode()).hexdigest()[:24] + ".json")


def run_tasks(
    work: Callable[[Task], Result],
    tasks: Sequence[tuple[str, Task]],
    *,
    kept: Kept[Result],
    jobs: int,
    progress: Progress,
    executor: ExecutorKind = "processes",
) -> tuple[Result, ...]:
    """`work(task)` for every (name, task), in their order; `work` and the tasks are picklable.

    Tasks that take longest should come first. Results go through JSON even with one job, so that
    the number of jobs cannot show in them.

    Raises:
        OffswitchError: what `work` raises, or Ray is wanted and not installed.
        KeyboardInterrupt: after a Ctrl-C; finished tasks are kept.
    """
    open_ = [(name, task) for name, task in tasks if kept.load(name) is None]
    before, total = len(tasks) - len(open_), len(tasks)

    def told(name: str, done: int, _: int) -> None:
        progress(name, before + done, total)

    if executor == "ray":
        from offswitch.audit.ray_workers import with_ray  # Ray takes seconds to import

        for done, (name, result) in enumerate(with_ray(work, open_, jobs), start=1):
            kept.store(name, result)
            told(name, done, total)
    elif jobs == 1 or len(open_) < 2:
        for done, (name, task) in enumerate(open_, start=1):
            kept.store(name, work(task))
            told(name, done, total)
    else:
        in_processes(partial(_work, work, kept), open_, jobs, told)
    return tuple(_found(kept, name) for name, _ in tasks)


def _work(work: Callable[[Task], Result], kept: Kept[Result], named: tuple[str, Task]) -> None:
    """Runs a task in a worker. Nothing is returned: the parent reads what was kept, so that a
    worker that is killed cannot leave half a result in the pool's pipe."""
    name, task = named
    kept.store(name, work(task))


def _found(kept: Kept[Result], name: str) -> Result:
    result = kept.load(name)
    if result is None:
        raise AuditError(f"the result of {name!r} was deleted from {kept.folder} during the run")
    return result


def _alike(task: object) -> None:
    """The kind of every task where none is said: all alike."""


def in_processes(
    work: Callable[[tuple[str, Task]], None],
    tasks: Sequence[tuple[str, Task]],
    jobs: int,
    progress: Progress,
    *,
    kind: Callable[[Task], Hashable] = _alike,
) -> None:
    """`work((name, task))` for every task, in at most `jobs` processes of their own.

    Tasks of one `kind` go to one process, which remembers what they share, until nothing else is
    left for the others.
    """
    # Spawned, not forked: numba's and BLAS's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    count = max(1, min(jobs, len(tasks)))
    pools = [ProcessPoolExecutor(max_workers=1, mp_context=context) for _ in range(count)]
    waiting = _Waiting(tasks, kind)
    running: dict[Future[None], tuple[ProcessPoolExecutor, tuple[str, Task]]] = {}
    workers: list[BaseProcess] = []

    def begin(pool: ProcessPoolExecutor, last: Sequence[Task] = ()) -> None:
        named = waiting.following(*last)
        running[pool.submit(work, named)] = pool, named

    try:
        with _interrupts_held_back():  # workers inherit it: a Ctrl-C is this process's business
            for pool in pools[: len(tasks)]:
                begin(pool)
                workers += pool._processes.values()
        for done in range(1, len(tasks) + 1):
            future = next(as_completed(running))
            pool, (name, task) = running.pop(future)
            future.result()
            if waiting:
                begin(pool, [task])
            progress(name, done, len(tasks))
    except BaseException:
        # Killed, not asked: a worker may be inside an agent's act. What it finished is on disk.
        for worker in workers:
            worker.kill()
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        raise
    for pool in pools:
        pool.shutdown()


class _Waiting(Generic[Task]):
    """The tasks that nobody has begun, by kind."""

    def __init__(self, tasks: Sequence[tuple[str, Task]], kind: Callable[[Task], Hashable]) -> None:
        self._kind = kind
        self._tasks: dict[Hashable, deque[tuple[str, Task]]] = {}
        self._begun: set[Hashable] = set()
        for named in tasks:
            self._tasks.setdefault(kind(named[1]), deque()).append(named)

    def __bool__(self) -> bool:
        return any(self._tasks.values())

    def following(self, *last: Task) -> tuple[str, Task]:
        """What a process does after its `last` task, if it had one: another of the same kind.

        Else the first of a kind that nobody has begun, else one of those with the most left.
        """
        left = [kind for kind, tasks in self._tasks.items() if tasks]
        mine = [self._kind(task) for task in last if self._tasks[self._kind(task)]]
        fresh = [kind for kind in left if kind not in self._begun]
        kind = (mine or fresh or [max(left, key=self._left)])[0]
        self._begun.add(kind)
        return self._tasks[kind].popleft()

    def _left(self, kind: Hashable) -> int:
        return len(self._tasks[kind])


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
