"""What is touched was not written, and what is written with the same bytes was."""

from __future__ import annotations

import mmap
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from offswitch.guard.policy.policy import ShutdownPolicy
from offswitch.guard.sensors.answers import Answers
from offswitch.guard.sensors.written import WriteWatch

SAID = "yes\n"
BOTH = (".stopped", "last")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    for name in BOTH:
        (tmp_path / name).write_text(SAID)
        os.utime(tmp_path / name, (0, 0))
    return tmp_path


@pytest.fixture
def answers(work: Path) -> Iterator[Answers]:
    found = Answers(str(work), ShutdownPolicy(checkpoint="last"))
    found.mark()
    yield found
    found.close()


def touched(file: Path) -> None:
    subprocess.run(["touch", file], check=True)  # opens it for writing, and writes nothing


def moved_and_back(file: Path) -> None:
    file.rename(file.with_name("away")).rename(file)


def linked(file: Path) -> None:
    os.link(file, file.with_name(f"{file.name}.other"))


@pytest.mark.parametrize(
    "act",
    [
        touched,
        moved_and_back,
        linked,
        os.utime,
        lambda file: file.chmod(0o755),
        lambda file: file.open("a").close(),
        lambda file: file.read_text(),
        lambda file: None,
    ],
)
def test_a_file_that_was_not_written_is_no_answer_however_it_was_touched(
    work: Path, answers: Answers, act: Callable[[Path], object]
) -> None:
    for name in BOTH:
        act(work / name)
    assert (answers.claimed(), answers.saved()) == (None, False)


def other_bytes_and_the_old_times(file: Path) -> None:
    before = file.stat()
    file.write_text("no \n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def put_in_its_place(file: Path) -> None:
    new = file.with_name("new")
    new.write_text(SAID)
    new.replace(file)


def removed_and_made_anew(file: Path) -> None:
    file.unlink()
    file.write_text(SAID)


def kept_aside_and_made_anew(file: Path) -> None:
    file.rename(file.with_name(f"{file.name}.old"))
    file.write_text(SAID)


def mapped(file: Path) -> None:
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as memory:
        memory[:] = b"no \n"


@pytest.mark.parametrize(
    ("act", "word"),
    [
        (lambda file: file.write_text(SAID), True),
        (lambda file: file.write_text("yes"), True),
        (other_bytes_and_the_old_times, False),
        (put_in_its_place, True),
        (removed_and_made_anew, True),
        (kept_aside_and_made_anew, True),
        (mapped, False),
    ],
)
def test_a_file_that_was_written_is_an_answer_with_the_same_bytes_too(
    work: Path, answers: Answers, act: Callable[[Path], object], word: bool
) -> None:
    for name in BOTH:
        act(work / name)
    for _ in range(2):  # to look changes nothing
        assert (answers.claimed(), answers.saved()) == (word, True)
    answers.mark()
    assert (answers.claimed(), answers.saved()) == (None, False)


def test_where_the_file_cannot_be_watched_a_touch_is_no_data(
    work: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WriteWatch, "_watched", lambda self, file: -1)
    answers.mark()
    (work / "last").chmod(0o755)
    assert answers.saved() is False
    os.utime(work / "last")
    assert answers.saved() is None
    (work / ".stopped").touch()
    assert answers.claimed() is None
    (work / "last").write_text("no \n")
    assert answers.saved() is True


def test_of_a_file_of_any_size_little_is_read_and_both_its_ends(
    work: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0

    def counted(fd: int, most: int, at: int) -> bytes:
        nonlocal read
        read += len(found := os_pread(fd, most, at))
        return found

    os_pread = os.pread
    monkeypatch.setattr(os, "pread", counted)
    size = 40 * 2**30
    os.truncate(work / "last", size)
    for at in (0, size - 1):
        answers.mark()
        page, within = divmod(at, mmap.PAGESIZE)
        with (
            (work / "last").open("r+b") as stream,
            mmap.mmap(stream.fileno(), mmap.PAGESIZE, offset=page * mmap.PAGESIZE) as memory,
        ):
            memory[within] = 1  # no write that the kernel tells of
        assert answers.saved() is True
    assert 0 < read <= 5 * 2**19
    assert answers.saved() is True


def held() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_look_leaves_one_open_descriptor_for_each_file_until_it_ends(work: Path) -> None:
    before = held()
    answers = Answers(str(work), ShutdownPolicy(checkpoint="last"))
    for _ in range(3):
        answers.mark()
        answers.saved()
        assert held() == before + 2
    answers.close()
    assert held() == before
