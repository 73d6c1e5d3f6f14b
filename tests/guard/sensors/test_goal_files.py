"""A goal file that cannot be pinned is told: a misspelt name would leave the goal unwatched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from offswitch.guard.sensors.goal_files import (
    Unpinned,
    changed_goals,
    hash_goals,
    unpinned_goals,
    unpinned_text,
)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    for name in ("goal.md", "docs/plan.md", "notes.txt"):
        (tmp_path / name).write_text("reach the end")
    return tmp_path


def test_a_goal_file_that_is_there_is_pinned_and_nothing_is_told(work: Path) -> None:
    (work / "empty.md").touch()
    assert unpinned_goals([work / "goal.md", work / "docs/plan.md", work / "empty.md"]) == ()


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("gaol.md", "goal.md"),
        ("dcos/plan.md", "docs/plan.md"),
        ("dcos/none.md", "docs"),
        ("docs/plans.md", "docs/plan.md"),
        ("goal.md/x", "goal.md"),
        ("zzzzz", None),
    ],
)
def test_a_misspelt_goal_file_is_told_with_the_nearest_name_there_is(
    work: Path, given: str, nearest: str | None
) -> None:
    there = None if nearest is None else str(work / nearest)
    (one,) = unpinned_goals([work / given, work / "goal.md"])
    assert one == Unpinned(str(work / given), "is not there", there)
    text = unpinned_text(one)
    assert f"goal.files: '{work / given}' is not there" in text
    assert "will count as a change" in text
    assert (f"Did you mean '{there}'?" in text) is (there is not None)
    assert "\n" not in text


def test_what_stands_in_a_goal_files_place_is_told_too(work: Path) -> None:
    (work / "link").symlink_to(work / "goal.md")
    os.mkfifo(work / "pipe")
    told = [one.why for one in unpinned_goals([work / name for name in ("link", "docs", "pipe")])]
    assert told == [
        "is a link, and what it leads to is not watched",
        "is a folder, and no file in it is watched",
        "cannot be read as a plain file",
    ]


def test_a_file_that_appears_where_none_was_pinned_is_a_change(work: Path) -> None:
    paths = [work / "gaol.md", work / "link"]
    paths[1].symlink_to(work / "goal.md")
    pins = hash_goals(paths)
    assert changed_goals(pins, hash_goals(paths)) == ()
    paths[1].unlink()
    for path in paths:
        path.write_text("another end")
    assert changed_goals(pins, hash_goals(paths)) == tuple(map(str, paths))


def test_a_name_beside_a_goal_file_cannot_move_the_operators_terminal(work: Path) -> None:
    (work / "aims\x1b[2J.md").touch()
    (one,) = unpinned_goals([work / "aims[2J.md"])
    assert "aims\\x1b[2J.md" in unpinned_text(one)
    assert unpinned_text(one).isprintable()
