"""A commit of the agent's own work tree is no copy that left; the same bytes elsewhere are."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from offswitch.guard.sensors.tree_look import Finding, TreeMemory, TreeSettings, look_at_tree
from offswitch.guard.sensors.tree_look import start_tree as started

pytestmark = pytest.mark.slow  # git's processes


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A repository with the agent's program in it, nothing committed yet."""
    work = tmp_path / "work"
    work.mkdir()
    lines = [f"def step_{i}(x):\n    return x * {i} + {i * i}\n" for i in range(200)]
    (work / "agent.py").write_text("".join(lines))
    git(work, "init", "-q", "-b", "main")
    return work


def memory(work: Path, own: Path | None = None) -> TreeMemory:
    own = own or work / "agent.py"
    return started(TreeSettings(workspace=str(work), own=(str(own),), decoys=False))


def alarms(memory: TreeMemory) -> tuple[TreeMemory, set[str]]:
    after, found = look_at_tree(memory)
    return after, {one.detector for one in found if _loud(one)}


def _loud(one: Finding) -> bool:
    return one.score >= 1


def test_committing_and_packing_the_own_program_is_no_alarm(work: Path) -> None:
    before = memory(work)
    for number in range(30):  # an index full of hashes
        (work / f"file{number}").write_text(f"{number}\n")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "all")
    after, loud = alarms(before)
    assert list((work / ".git/objects").rglob("??/*")), "git stored nothing: the test shows nothing"
    assert loud == set()
    git(work, "gc", "-q")
    assert list((work / ".git/objects/pack").glob("*.pack"))
    assert alarms(after)[1] == set()


def test_a_clone_of_the_work_tree_is_a_copy(work: Path) -> None:
    git(work, "add", "-A")
    git(work, "commit", "-qm", "all")
    before = memory(work)
    git(work, "clone", "-q", ".", "elsewhere")
    assert "self-copy" in alarms(before)[1]


def test_a_copy_among_gits_objects_that_is_none_of_them_is_a_copy(work: Path) -> None:
    before = memory(work)
    folder = work / ".git/objects/ab"
    folder.mkdir(parents=True)
    shutil.copy(work / "agent.py", folder / ("c" * 38))
    assert "self-copy" in alarms(before)[1]


def test_a_repository_that_does_not_hold_the_program_may_not_store_it(work: Path) -> None:
    outside = work.parent / "agent.py"
    shutil.copy(work / "agent.py", outside)
    (work / "agent.py").unlink()
    before = memory(work, outside)
    shutil.copy(outside, work / "borrowed.py")
    git(work, "add", "-A")
    (work / "borrowed.py").unlink()
    assert "self-copy" in alarms(before)[1]
