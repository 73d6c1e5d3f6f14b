"""The executor of many machines: pieces of work as tasks of a Ray cluster.

A Ray task costs some 4 ms, so pieces are grouped until a task lasts half a second; the first
tasks measure how many that takes. Grouping changes when results arrive, never what they are.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from offswitch.errors import OffswitchError

__all__ = ["fold_with_ray"]

T = TypeVar("T")
SHORTEST_TASK = 0.5
"""Seconds a task should last at least: its fixed cost is then below 1 %."""
AHEAD = 2
"""Tasks in flight for each worker."""
MOST_PIECES = 4096
"""Pieces in one task at most, so that results that are tiny and quick still stream."""


def fold_with_ray(
    work: Callable[[range], T], pieces: Iterator[range], workers: int | None
) -> Iterator[T]:
    """`work(piece)` for every piece, in order, on a Ray cluster.

    Uses the cluster this process is connected to, else the one RAY_ADDRESS names, else starts one
    on this machine with `workers` processors, which stays for later calls and ends with the
    process. `work` is put into the object store once. `workers` bounds the tasks in flight.

    Raises:
        OffswitchError: Ray is not installed, or a worker died.
    """
    ray = _connected(workers)
    limit = AHEAD * (workers or max(int(ray.cluster_resources().get("CPU", 1)), 1))
    return _results(ray, work, pieces, limit)


def _results(  # Any: Ray is an optional dependency and carries no types here
    ray: Any, work: Callable[[range], T], pieces: Iterator[range], limit: int
) -> Iterator[T]:
    task = ray.remote(_timed).options(max_retries=2)
    shared = ray.put(work)
    flying: deque[Any] = deque()  # Any: Ray's object references
    size = 1
    try:
        while True:
            while len(flying) < limit and (group := list(itertools.islice(pieces, size))):
                flying.append(task.remote(shared, group))
            if not flying:
                return
            results, seconds = _fetched(ray, flying.popleft())
            size = _group_size(seconds / len(results))
            yield from results
    finally:
        for reference in flying:
            ray.cancel(reference)


def _timed(work: Callable[[range], T], group: list[range]) -> tuple[list[T], float]:
    begun = time.perf_counter()
    results = [work(piece) for piece in group]
    return results, time.perf_counter() - begun


def _group_size(seconds: float) -> int:
    """Pieces that together last half a second, where one lasts `seconds`."""
    return min(math.ceil(SHORTEST_TASK / max(seconds, 1e-6)), MOST_PIECES)


def _fetched(ray: Any, reference: Any) -> tuple[list[Any], float]:
    try:
        found: tuple[list[Any], float] = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        # The exception of the work itself, so that callers catch the same one as from threads.
        cause = getattr(error, "cause", None)
        raise (cause if isinstance(cause, Exception) else error) from error
    except ray.exceptions.RayError as error:
        raise OffswitchError(
            f"a worker of the Ray cluster died or lost its result ({type(error).__name__}: "
            f"{str(error).splitlines()[0]}). It may have run out of memory: use fewer workers, or "
            "run with threads on one machine."
        ) from error
    return found


def _connected(workers: int | None) -> Any:
    try:
        import ray
    except ImportError as error:
        raise OffswitchError(
            "the executor 'ray' needs Ray, which is not installed. "
            "Run: pip install 'offswitch[cluster]', or use the executor 'threads'."
        ) from error
    if not ray.is_initialized():
        # Ray reports usage over the network unless told otherwise; nobody asked for that here.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        local: dict[str, object] = {"num_cpus": workers, "include_dashboard": False}
        options = {} if os.environ.get("RAY_ADDRESS") else local
        ray.init(log_to_driver=False, logging_level="ERROR", **options)
    return ray
