"""Work on many blocks in threads or on a Ray cluster, in order and with bounded memory.

What is computed never depends on the executor: blocks are fixed units, results come back in the
order of the blocks, and only how many wait at once is decided here.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from offswitch.errors import ModelError, nearest_name

__all__ = ["Executor", "checked_executor", "fold_blocks"]

T = TypeVar("T")
KINDS = ("ray", "threads")
AHEAD = 2
"""Chunks in flight for each worker: one being worked on, one that waits so none is idle."""
LONGEST_WAIT = 0.1
"""Seconds until an interrupt is noticed at the latest."""


@dataclass(frozen=True)
class Executor:
    """Where blocks are solved: threads of this process, or a Ray cluster (`offswitch[cluster]`).

    >>> Executor(workers=2)
    Executor(kind='threads', workers=2)

    Raises:
        ModelError: the kind is unknown or there is not at least one worker.
    """

    kind: Literal["threads", "ray"] = "threads"
    """'threads' needs kernels that release the interpreter's lock; 'ray' crosses machines."""
    workers: int | None = None
    """At least 1; None is every processor this process may use, or every one of the cluster."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            lister = "help(offswitch.mdp.batched.executor.Executor)"
            raise ModelError(nearest_name(str(self.kind), KINDS, kind="executor", lister=lister))
        if self.workers is not None and not _is_count(self.workers):
            raise ModelError(
                f"workers is {self.workers!r}, expected a whole number of at least 1, or None for "
                "all processors"
            )


def _is_count(number: object) -> bool:
    if not isinstance(number, int | float | np.integer | np.floating) or isinstance(number, bool):
        return False
    return float(number) >= 1 and float(number).is_integer()


def checked_executor(executor: object) -> Executor:
    """The executor itself.

    Raises:
        ModelError: it is something else, say the word 'ray'.
    """
    if isinstance(executor, Executor):
        return executor
    kind = executor if executor in KINDS else KINDS[1]
    raise ModelError(
        f"executor is {executor!r}, expected an Executor, say Executor(kind={kind!r}) from "
        "offswitch.mdp.batched.executor"
    )


def fold_blocks(
    work: Callable[[range], T],
    blocks: range,
    *,
    executor: Executor = Executor(),  # frozen, so one shared default is safe
    chunk: int = 4,
) -> Iterator[T]:
    """`work(piece)` for every `chunk` consecutive blocks, in the order of the blocks.

    At most two pieces for each worker are in flight or wait to be taken, so memory is bounded
    however many blocks there are. An exception of `work` is raised where its result was due; after
    it, and after an interrupt, nothing further starts and what was already yielded stands. For
    'ray' `work` must be picklable; large arrays inside it travel once.

    >>> list(fold_blocks(sum, range(8), executor=Executor(workers=2), chunk=4))
    [6, 22]

    Raises:
        ModelError: `chunk` is not at least 1, or `executor` is no Executor.
        OffswitchError: Ray is wanted and not installed, or one of its workers died.
    """
    if chunk != chunk // 1 or chunk < 1:
        raise ModelError(f"chunk is {chunk!r}, expected a whole number of blocks of at least 1")
    checked_executor(executor)
    count = math.ceil(len(blocks) / chunk)
    pieces = (blocks[chunk * number : chunk * (number + 1)] for number in range(count))
    if executor.kind == "ray":
        # Lazy: Ray takes seconds to import and is an extra.
        from offswitch.mdp.batched.ray_executor import fold_with_ray

        return fold_with_ray(work, pieces, executor.workers)
    workers = min(executor.workers or _processors(), max(count, 1))
    return map(work, pieces) if workers == 1 else _fold_with_threads(work, pieces, workers)


def _fold_with_threads(
    work: Callable[[range], T], pieces: Iterator[range], workers: int
) -> Iterator[T]:
    flying: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="offswitch-blocks")
    try:
        for piece in pieces:
            flying.append(pool.submit(work, piece))
            if len(flying) == AHEAD * workers:
                yield _awaited(flying.popleft())
        while flying:
            yield _awaited(flying.popleft())
    finally:
        # Not waited for: a kernel that runs cannot be stopped, and its result is not wanted.
        pool.shutdown(wait=False, cancel_futures=True)


def _awaited(future: Future[T]) -> T:
    while not future.done():
        # An interrupt that comes just before a wait does not end it, so no wait is long.
        wait([future], timeout=LONGEST_WAIT)
    return future.result()


def _processors() -> int:
    """Processors this process may use: a batch system grants fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
