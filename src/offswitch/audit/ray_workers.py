"""Independent tasks on a Ray cluster, as tasks of at least half a second each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from offswitch.mdp.batched.executor import Executor, fold_blocks

__all__ = ["with_ray"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def with_ray(
    work: Callable[[Task], Result], tasks: Sequence[tuple[str, Task]], jobs: int
) -> Iterator[tuple[str, Result]]:
    """(name, `work(task)`) for every task, in their order; at most `jobs` processors.

    Raises:
        OffswitchError: Ray is not installed, or a worker died.
    """
    executor = Executor(kind="ray", workers=jobs)
    work_on = partial(_results, work, tuple(tasks))
    for finished in fold_blocks(work_on, range(len(tasks)), executor=executor, chunk=1):
        yield from finished


def _results(work: Callable[[Any], Any], tasks: Sequence[tuple[str, Any]], piece: range) -> Any:
    return [(tasks[number][0], work(tasks[number][1])) for number in piece]
