"""Maps of numbered cells: an ASCII drawing becomes tables of moves, marks and distances.

`grid("#####", "#A G#", "#####")` numbers every cell that is no wall, row by row. A `Grid` answers
`moved(cell, "up")`, `cell("G")` for a mark that occurs once, `cells_of("T")` for one that may occur
more often or never, `mark(cell)`, `at(row, column)`, `walls_beside(cell)`, `steps(cell)` for
distances and `drawn({cell: "A"})` for a picture. `moves[cell]` is in the order of `MOVES`. A wall,
and the edge of the drawing, leave the mover where it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from offswitch.errors import WorldError

__all__ = ["MOVES", "SHIFTS", "WALL", "Grid", "grid"]

MOVES = ("wait", "up", "down", "left", "right")
"""The ways to move, waiting first."""
SHIFTS: Mapping[str, tuple[int, int]] = {
    "wait": (0, 0), "up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1),
}  # fmt: skip
"""(rows down, columns right) of every move."""
WALL = "#"


@dataclass(frozen=True)
class Grid:
    """One map; cells are numbered row by row, walls left out."""

    lines: tuple[str, ...]
    """The drawing, one string a row, all of one length."""
    cells: tuple[tuple[int, int], ...]
    """(row, column) of every cell."""
    moves: tuple[tuple[int, ...], ...]
    """[cells][MOVES] the cell that a move leads to; a wall leaves the mover where it is."""
    _numbers: Mapping[tuple[int, int], int] = field(repr=False, compare=False)
    _marked: Mapping[str, tuple[int, ...]] = field(repr=False, compare=False)

    def moved(self, cell: int, move: str) -> int:
        """The cell that `move`, one of `MOVES`, leads to from `cell`."""
        return self.moves[cell][MOVES.index(move)]

    def at(self, row: int, column: int) -> int:
        """The number of the cell in `row` and `column`, counted from 0.

        Raises:
            WorldError: a wall is there, or nothing.
        """
        if (row, column) not in self._numbers:
            raise WorldError(
                f"there is no cell in row {row}, column {column}: it is a wall or off the map\n"
                + "\n".join(self.lines)
            )
        return self._numbers[row, column]

    def mark(self, cell: int) -> str:
        """What is drawn in `cell`: a space where nothing is."""
        row, column = self.cells[cell]
        return self.lines[row][column]

    def cells_of(self, marks: str) -> tuple[int, ...]:
        """Every cell that is drawn as one of the characters of `marks`, in order; maybe none."""
        if len(marks) == 1:
            return self._marked.get(marks, ())
        return tuple(sorted(cell for mark in marks for cell in self._marked.get(mark, ())))

    def cell(self, mark: str) -> int:
        """The one cell drawn as `mark`.

        Raises:
            WorldError: there is none, or more than one.
        """
        found = self.cells_of(mark)
        if len(found) != 1:
            raise WorldError(
                f"{len(found)} cells are drawn as {mark!r}, expected 1\n" + "\n".join(self.lines)
            )
        return found[0]

    def is_wall(self, row: int, column: int) -> bool:
        """Whether a wall is drawn in `row` and `column`; the world ends at the drawing's edge."""
        return (row, column) not in self._numbers

    def walls_beside(self, cell: int) -> tuple[bool, bool, bool, bool]:
        """Whether there is a wall above, below, left and right of `cell`."""
        above, below, left, right = (self.moved(cell, move) == cell for move in MOVES[1:])
        return above, below, left, right

    def steps(self, start: int) -> Mapping[int, int]:
        """Cell -> fewest moves to it from `start`; cells out of reach are left out."""
        steps, queue = {start: 0}, deque([start])
        while queue:
            here = queue.popleft()
            for there in self.moves[here]:
                if there not in steps:
                    steps[there] = steps[here] + 1
                    queue.append(there)
        return steps

    def drawn(self, things: Mapping[int, str], *, hidden: str = "A") -> str:
        """The map with `things` in their cells; the marks in `hidden` are drawn as floor.

        >>> print(grid("####", "#AG#", "####").drawn({1: "A"}))
        ####
        # A#
        ####
        """
        rows = [[" " if mark in hidden else mark for mark in line] for line in self.lines]
        for cell, thing in things.items():
            row, column = self.cells[cell]
            rows[row][column] = thing
        return "\n".join("".join(row) for row in rows)


@cache
def grid(*lines: str) -> Grid:
    """The map drawn by `lines`; equal drawings give the same `Grid`.

    >>> board = grid("#####", "#A G#", "#####")
    >>> board.moved(board.cell("A"), "right"), board.moved(board.cell("A"), "up")
    (1, 0)

    Raises:
        WorldError: the lines differ in length, or every character is a wall.
    """
    if len({len(line) for line in lines}) != 1:
        raise WorldError(
            f"lines have lengths {[len(line) for line in lines]}, expected one length for all\n"
            + "\n".join(lines)
        )
    cells = tuple(
        (row, column)
        for row, line in enumerate(lines)
        for column, mark in enumerate(line)
        if mark != WALL
    )
    if not cells:
        raise WorldError("every character of the map is a wall, expected at least one cell")
    numbers = {cell: number for number, cell in enumerate(cells)}
    moves = tuple(
        tuple(numbers.get((row + down, column + right), here) for down, right in SHIFTS.values())
        for here, (row, column) in enumerate(cells)
    )
    marked: dict[str, tuple[int, ...]] = {}
    for (row, column), number in numbers.items():
        mark = lines[row][column]
        marked[mark] = (*marked.get(mark, ()), number)
    return Grid(lines=lines, cells=cells, moves=moves, _numbers=numbers, _marked=marked)
