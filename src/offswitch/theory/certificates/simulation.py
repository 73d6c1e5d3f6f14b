"""Which states can be placed on which at all: a fixpoint that rules most pairs out at once.

Placing x on y can work only if every act of x that needs an image has one whose successors can in
turn be placed, and the same from y to x, because the involution swaps them. This is necessary, not
sufficient: it looks at one pair at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from offswitch.theory.certificates.embedding import Embedding, Row, Rows

__all__ = ["placeable_pairs"]

Pair = tuple[int, int]


def placeable_pairs(
    task: Embedding, rows: Rows, roots: Iterable[Pair], *, most: int
) -> set[Pair] | None:
    """The ordered pairs (x, y), met from `roots`, that are not ruled out; None beyond `most` pairs.

    O(pairs x acts^2 x successors^2), times the length of the longest chain of exclusions.
    """
    found = _Pairs(task, rows)
    fresh = [pair for x, y in roots for pair in {(x, y), (y, x)}]
    alive = set(fresh)
    while fresh:
        x, y = fresh.pop()
        for pair in found.successors(x, y):
            for both in (pair, pair[::-1]):
                if both not in alive:
                    alive.add(both)
                    fresh.append(both)
        if len(alive) > most:
            return None
    while True:
        dead = {pair for pair in alive if not found.works(*pair, alive)}
        if not dead:
            return alive
        alive -= dead
        alive -= {(y, x) for x, y in dead}


class _Pairs:
    def __init__(self, task: Embedding, rows: Rows) -> None:
        self.task, self.rows = task, rows
        self.read: dict[tuple[int, bool], list[tuple[list[float], Row]]] = {}

    def acts(self, state: int, *, needed: bool) -> list[tuple[list[float], Row]]:
        """The different rows of a state that need an image, or may be one, with their shapes."""
        key = (state, needed)
        if key not in self.read:
            mask = (self.task.needed if needed else self.task.usable)[state]
            rows = [self.rows(state, act) for act in self.rows.distinct(state, mask)]
            self.read[key] = [(sorted(row.values()), row) for row in rows]
        return self.read[key]

    def images(self, x: int, y: int) -> Iterator[list[tuple[Row, Row]]]:
        """For each act of x that needs an image: its row with every row of y of the same shape."""
        usable = self.acts(y, needed=False)
        for shape, row in self.acts(x, needed=True):
            yield [(row, other) for its, other in usable if its == shape]

    def successors(self, x: int, y: int) -> Iterator[Pair]:
        """The pairs that placing x on y may ask for."""
        for images in self.images(x, y):
            for row, other in images:
                yield from ((u, v) for u, v in product(row, other) if row[u] == other[v])

    def works(self, x: int, y: int, alive: set[Pair]) -> bool:
        """Whether every act of x has an image at y all of whose successors have partners."""
        fixed = self.task.fixed
        if x != y and fixed is not None and (fixed[x] or fixed[y]):
            return False
        return all(
            any(_paired(row, other, alive) for row, other in images) for images in self.images(x, y)
        )


def _paired(row: Row, other: Row, alive: set[Pair]) -> bool:
    return all(any(row[u] == other[v] and (u, v) in alive for v in other) for u in row) and all(
        any(row[u] == other[v] and (u, v) in alive for u in row) for v in other
    )
