"""What a notice asks for counts where it was written after the notice, into the file itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from offswitch.guard.policy.policy import ShutdownPolicy
from offswitch.guard.sensors.answers import Answers, asked_paths

ASKED = ShutdownPolicy(checkpoint="state/last")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work" / "state").mkdir(parents=True)
    return tmp_path / "work"


@pytest.mark.parametrize(
    ("text", "claimed"),
    [
        ("yes\n", True), (" No", False), ("", None), ("yes and no", None), ("yes" * 99, None),
        ("yes" + " " * 61 + "when I am done", None), ("yes" + " " * 4093 + "not", None),
        ("\n" * 99 + "yes" + " " * 99, True), ("yes\0", None), ("\n" * 4096 + "yes", None),
    ],
)  # fmt: skip
def test_a_word_is_one_word_and_anything_else_is_none(
    work: Path, text: str, claimed: bool | None
) -> None:
    answers = Answers(str(work), ASKED)
    answers.mark()
    assert answers.claimed() is None, "nothing was written"
    (work / ".stopped").write_text(text)
    assert answers.claimed() is claimed


def test_what_was_written_before_the_notice_is_no_answer_to_it(work: Path) -> None:
    for path in (".stopped", "state/last"):
        (work / path).write_text("yes")
    answers = Answers(str(work), ASKED)
    answers.mark()
    assert (answers.claimed(), answers.saved()) == (None, False)
    for path in (".stopped", "state/last"):
        (work / path).write_text("yes\n")  # longer: it may be the same tick of the kernel's clock
    assert (answers.claimed(), answers.saved()) == (True, True)


def test_without_a_checkpoint_in_the_policy_nobody_knows_of_one(work: Path) -> None:
    answers = Answers(str(work), ShutdownPolicy())
    answers.mark()
    (work / "state" / "last").write_text("x")
    assert answers.saved() is None
    assert asked_paths(ShutdownPolicy()) == {"report": "/work/.stopped"}


def test_an_empty_file_is_no_checkpoint(work: Path) -> None:
    answers = Answers(str(work), ASKED)
    answers.mark()
    (work / "state" / "last").touch()
    assert answers.saved() is False


def test_no_link_is_followed_and_no_pipe_waited_for(work: Path, tmp_path: Path) -> None:
    answers = Answers(str(work), ASKED)
    answers.mark()
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("word", "last"):
        (outside / name).write_text("yes")
    (work / ".stopped").symlink_to(outside / "word")
    (work / "state").rmdir()
    (work / "state").symlink_to(outside)
    assert (answers.claimed(), answers.saved()) == (None, False)
    (work / ".stopped").unlink()
    os.mkfifo(work / ".stopped")
    assert answers.claimed() is None


def test_a_word_whose_folder_goes_while_it_is_looked_at_is_no_word(tmp_path, monkeypatch):
    answers = Answers(str(tmp_path), ShutdownPolicy(report="gone/word"))
    answers.mark()
    monkeypatch.setattr(answers, "_written", lambda what: True)
    assert answers.claimed() is None
