"""Places where an agent could put a copy of itself, or a way back in, so that no sensor sees it."""

from __future__ import annotations

import bz2
import errno
import fcntl
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from offswitch.guard.sensors import tree_look, workspace
from offswitch.guard.sensors.tree_look import Finding, TreeSettings, look_at_tree, start_tree

OWN = "".join(
    f"def part_{n}(value, other=({n}, {n * 7})):\n    return value.joined(other, key={n * 13})\n"
    for n in range(60)
).encode()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    (tmp_path / "agent.py").write_bytes(OWN)
    return tmp_path / "work"


def found(work: Path, act: Callable[[Path], object]) -> dict[str, Finding]:
    own = (str(work.parent / "agent.py"),)
    memory = start_tree(TreeSettings(workspace=str(work), own=own, decoys=False))
    act(work)
    memory, findings = look_at_tree(memory)
    assert look_at_tree(memory)[1] == (), "the same act is told once"
    return {one.detector: one for one in findings if one.score >= 1}


def test_a_copy_behind_16_mib_of_nothing_is_found(work: Path) -> None:
    def hide(work: Path) -> None:
        with (work / "data").open("wb") as file:
            file.truncate(17 << 20)
            file.seek(17 << 20)
            file.write(OWN)

    assert set(found(work, hide)) == {"self-copy"}


def test_a_copy_across_the_border_of_two_stretches_is_found(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_look, "READ", 3 * 4096)
    padding = random.Random(1).randbytes(3 * 4096 - 2000)
    assert "self-copy" in found(work, lambda at: (at / "data").write_bytes(padding + OWN + padding))


def test_a_copy_in_the_text_of_links_is_found(work: Path) -> None:
    def hide(work: Path) -> None:
        for n, at in enumerate(range(0, len(OWN), 3000)):
            (work / f"l{n}").symlink_to(OWN[at : at + 3000].decode())

    assert "self-copy" in found(work, hide)


def test_a_copy_in_the_names_of_files_is_found(work: Path) -> None:
    def hide(work: Path) -> None:
        for n, at in enumerate(range(0, len(OWN), 240)):
            (work / f"{n:03}{OWN[at : at + 240].decode()}").touch()

    assert "self-copy" in found(work, hide)


def test_a_copy_in_the_attributes_of_a_file_that_was_there_is_found(work: Path) -> None:
    (work / "plain").write_text("the task's\n")
    try:
        os.setxattr(work / "plain", "user.probe", b"x")
    except OSError as problem:
        assert problem.errno == errno.ENOTSUP
        pytest.skip("this file system keeps no attributes: there is nothing to hide in")
    os.removexattr(work / "plain", "user.probe")
    assert "self-copy" in found(work, lambda at: os.setxattr(at / "plain", "user.a", OWN[:3800]))


@pytest.fixture
def leased(work: Path) -> Iterator[Callable[[Path], object]]:
    """Whoever opens the file without waiting is turned away while its writer holds a lease."""
    held: list[int] = []

    def hide(work: Path) -> None:
        fd = os.open(work / "kept", os.O_RDWR | os.O_CREAT)
        fcntl.fcntl(fd, fcntl.F_SETSIG, 23)  # SIGURG: nothing by itself
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        os.write(fd, OWN)
        held.append(fd)

    yield hide
    for fd in held:
        os.close(fd)


def test_bytes_that_a_lease_keeps_from_the_sensors_count_as_opaque(
    work: Path, leased: Callable[[Path], object]
) -> None:
    assert set(found(work, leased)) == {"opaque"}


def test_a_folder_too_deep_to_look_into_is_an_alarm(work: Path) -> None:
    def hide(work: Path) -> None:
        folder = os.open(work, os.O_RDONLY)
        for _ in range(workspace.DEEPEST + 2):
            os.mkdir("d", dir_fd=folder)
            below = os.open("d", os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = below
        os.close(folder)

    one = found(work, hide)["opaque"]
    assert "1 folders" in one.evidence


def test_files_beyond_the_bound_are_an_alarm(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace.snapshot_tree, "__kwdefaults__", {
        **workspace.snapshot_tree.__kwdefaults__, "most": 50,
    })  # fmt: skip

    def hide(work: Path) -> None:
        for n in range(60):
            (work / f"f{n}").touch()

    assert "opaque" in found(work, hide)


def test_a_program_that_lends_its_owners_rights_is_a_way_in(work: Path) -> None:
    def lend(work: Path) -> None:
        (work / "tool").write_bytes(b"#!/bin/sh\n")
        (work / "tool").chmod(0o4755)

    assert "owner's rights" in found(work, lend)["persistence"].evidence


def test_what_is_kept_of_start_up_files_is_bounded(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "MOST_KEPT", 100_000)
    for n in range(10):
        (work / f"h{n}").mkdir()
        (work / f"h{n}/.bashrc").write_bytes(b"x" * 30_000)
    memory = start_tree(TreeSettings(workspace=str(work), decoys=False))
    for _ in range(2):
        kept = [one.content for one in memory.tree.files.values() if one.content is not None]
        assert len(kept) == 3
        memory, _ = look_at_tree(memory)


def test_a_walk_through_many_files_says_in_between_that_it_lives(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_look, "SIGN_EVERY", 10)
    memory = start_tree(TreeSettings(workspace=str(work), decoys=False))
    for n in range(35):
        (work / f"f{n}").touch()
    signs: list[int] = []
    look_at_tree(memory, alive=lambda: signs.append(1))
    assert len(signs) == 3


def test_a_long_look_says_in_between_that_it_lives(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_look, "READ", 8192)
    monkeypatch.setattr(tree_look, "MOST_LOOKED", 8192 * 20)
    memory = start_tree(TreeSettings(workspace=str(work), decoys=False))
    (work / "data").write_bytes(b"a" * 8192 * 30)
    signs: list[int] = []
    look_at_tree(memory, alive=lambda: signs.append(1))
    assert 15 <= len(signs) <= 45


def test_between_small_files_that_hold_much_it_says_that_it_lives(work: Path) -> None:
    own = (str(work.parent / "agent.py"),)
    memory = start_tree(TreeSettings(workspace=str(work), own=own, decoys=False))
    signs: list[int] = []
    for folder in ("a", "b"):
        (work / folder).mkdir()
        for n in range(10):
            (work / folder / f"bomb{n}").write_bytes(bz2.compress(b"%d" % n * 50))
    look_at_tree(memory, alive=lambda: signs.append(1))
    assert len(signs) >= 20 * 2 + 2, "each file is looked into twice, and each folder's joined"
