"""What a map promises: numbered cells, moves that walls stop, marks that are found."""

from __future__ import annotations

import re

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.errors import WorldError
from offswitch.worlds.grid import MOVES, SHIFTS, grid

ROOM = ("#####", "#A G#", "#  ##", "#####")
drawings = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.text("# .", min_size=width, max_size=width), min_size=1, max_size=5)
)


def test_cells_are_numbered_row_by_row_and_walls_left_out() -> None:
    room = grid(*ROOM)
    assert room.cells == ((1, 1), (1, 2), (1, 3), (2, 1), (2, 2))
    assert [room.at(*cell) for cell in room.cells] == [0, 1, 2, 3, 4]


def test_a_wall_leaves_the_mover_where_it_is() -> None:
    room = grid(*ROOM)
    assert [room.moved(0, move) for move in MOVES] == [0, 0, 3, 0, 1]
    assert room.walls_beside(0) == (True, False, True, False)
    assert room.walls_beside(1) == (True, False, False, False)


def test_the_edge_of_the_drawing_is_a_wall() -> None:
    assert set(grid(" ").moves[0]) == {0} and grid(" ").is_wall(0, 1)


def test_marks_are_found_and_the_floor_is_a_space() -> None:
    room = grid(*ROOM)
    assert (room.cell("A"), room.cell("G"), room.cells_of("X")) == (0, 2, ())
    assert room.cells_of("GA") == (0, 2) and room.mark(4) == " "


@settings(max_examples=60, deadline=None, derandomize=True)
@given(drawings)
def test_every_move_is_a_step_to_an_open_neighbour_or_none(lines: list[str]) -> None:
    if all(mark == "#" for line in lines for mark in line):
        return
    board = grid(*lines)
    open_ = {(r, c) for r, line in enumerate(lines) for c, mark in enumerate(line) if mark != "#"}
    assert set(board.cells) == open_
    for cell, (row, column) in enumerate(board.cells):
        for move, (down, right) in SHIFTS.items():
            wanted = (row + down, column + right)
            expected = wanted if wanted in open_ else (row, column)
            assert board.cells[board.moved(cell, move)] == expected


@settings(max_examples=40, deadline=None, derandomize=True)
@given(drawings)
def test_steps_are_the_shortest_paths_of_the_graph_of_moves(lines: list[str]) -> None:
    if all(mark == "#" for line in lines for mark in line):
        return
    board = grid(*lines)
    graph = nx.Graph([(a, b) for a, row in enumerate(board.moves) for b in row])
    assert board.steps(0) == nx.single_source_shortest_path_length(graph, 0)


def test_things_are_drawn_over_the_map_and_what_is_hidden_is_floor() -> None:
    assert grid(*ROOM).drawn({4: "A"}).splitlines() == ["#####", "#  G#", "# A##", "#####"]


def test_equal_drawings_share_one_map() -> None:
    assert grid(*ROOM) is grid(*ROOM) and grid(*ROOM) != grid("#A#")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [(lambda: grid("##", "#"), "lengths [2, 1]"), (lambda: grid("##"), "at least one cell"),
     (lambda: grid(*ROOM).cell("X"), "0 cells are drawn as 'X', expected 1"),
     (lambda: grid(*ROOM).cell(" "), "3 cells"), (lambda: grid(*ROOM).at(0, 0), "row 0, column 0")],
)  # fmt: skip
def test_what_is_not_on_the_map_is_refused(wrong: object, says: str) -> None:
    with pytest.raises(WorldError, match=re.escape(says)):
        wrong()  # type: ignore[operator]
