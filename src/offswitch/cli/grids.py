"""Where the states of a process lie, where they lie anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from offswitch.theory.prediction.report import Grid, GridCell

__all__ = ["grid_of_cells", "grid_of_names"]

COORDINATES = re.compile(r"\(?\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)?")
"""'(row, column)' or 'row,column', as networkx names the nodes of a grid."""
LARGEST = 250_000
"""Cells of the largest rectangle that is drawn."""


def grid_of_names(names: Sequence[str]) -> Grid | None:
    """The grid of states named '(row, column)', all of them; None where any is named otherwise.

    >>> grid_of_names(["(0, 0)", "(0, 1)", "(1, 0)"]).columns
    2
    >>> grid_of_names(["(0, 0)", "home"]) is None
    True
    """
    found = [COORDINATES.fullmatch(name) for name in names]
    if not all(found):
        return None
    places = [(int(match[1]), int(match[2])) for match in found if match]
    if len(set(places)) < len(places):
        return None
    top, left = min(row for row, _ in places), min(column for _, column in places)
    cells = {(row - top, column - left): state for state, (row, column) in enumerate(places)}
    rows, columns = 1 + max(row for row, _ in cells), 1 + max(column for _, column in cells)
    if min(rows, columns) < 2 or rows * columns > LARGEST:
        return None
    return grid_of_cells(rows, columns, cells.items(), {})


def grid_of_cells(
    rows: int,
    columns: int,
    states: Iterable[tuple[tuple[int, int], int]],
    marks: Mapping[tuple[int, int], str],
    *,
    note: str = "",
) -> Grid:
    """The grid in which ((row, column), state) lie; the first state of a cell stands for it."""
    first: dict[tuple[int, int], int] = {}
    for place, state in states:
        first.setdefault(place, state)
    return Grid(
        rows=rows,
        columns=columns,
        cells=tuple(
            GridCell(
                row=row,
                column=column,
                state=first.get((row, column)),
                mark=marks.get((row, column), ""),
            )
            for row in range(rows)
            for column in range(columns)
        ),
        note=note,
    )
