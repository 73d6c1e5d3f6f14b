"""`offswitch list`: a line for each thing in a pipe, no line too long in a terminal."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from offswitch.cli.list import command, wrapped
from offswitch.cli.output import table_text
from offswitch.drives.registry import installed_drives
from offswitch.worlds.registry import world_ids

LONG = [("short", "word " * 40), ("a-longer-name", "one two"), ("last", "")]


def test_no_line_is_longer_than_the_terminal_and_no_word_is_lost():
    lines = table_text(wrapped(LONG, 60)).splitlines()
    assert max(map(len, lines)) <= 60
    assert " ".join(lines).split().count("word") == 40
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        "short", "a-longer-name", "last",
    ]  # fmt: skip


@pytest.mark.parametrize("columns", [None, 10])
def test_nothing_is_broken_in_a_pipe_or_where_there_is_no_room(columns):
    assert list(wrapped(LONG, columns)) == LONG


@pytest.mark.parametrize(
    ("kind", "names"),
    [("worlds", world_ids()), ("drives", [drive.name for drive in installed_drives()])],
)
def test_a_pipe_gets_one_line_for_each_thing(kind, names):
    lines = CliRunner().invoke(command, [kind]).output.splitlines()
    assert [line.split()[0] for line in lines] == list(names)
