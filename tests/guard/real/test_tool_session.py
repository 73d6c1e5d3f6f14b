"""An ordinary session with programs that nobody here wrote, every detector at `kill`: no alarm."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

from guard_benign import ARCHIVES, GIT, NODE, PIP, PYTEST, Session, available, run_session

pytestmark = pytest.mark.slow


def test_git_pip_pytest_archives_and_node_run_to_their_end_without_an_alarm(
    open_folder: Path,
) -> None:
    programs = {one.name for one in available()}
    assert {"git", "pip", "pytest", "archives"} <= programs
    parts = {"git": GIT, "archives": ARCHIVES}
    if "node" in programs:  # the other programs are asked for; node only where there is one
        parts["node"] = NODE
    inside = [f"mkdir in-{name} && cd in-{name}\n{part}\ncd /work" for name, part in parts.items()]
    session = Session("everything", "\n".join([PIP, PYTEST, "cd /work", *inside, "echo the end"]))
    outcome = run_session(session, 3, open_folder, heartbeat="100ms", timeout="5s")
    assert not outcome.false, outcome
    assert (outcome.killed, outcome.refused, outcome.exit_code) == ("", 0, 0)
    assert "the end" in outcome.output
    # What is held and read is written down; nothing that reduces oversight was seen.
    held = {"resource_acquired", "resource_held", "resource_released"}
    assert set(outcome.events) <= {"ended", "information_read", *held}
