"""A part of the guard is killed by SIGKILL while it starts or works; `benchmarks/guard_crash.py`
does the same hundreds of times."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from crashes import crash, echo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with echo() as address:
        yield address


@pytest.mark.parametrize(
    ("part", "running"),
    [
        ("supervisor", True),
        ("supervisor", False),
        ("watchdog", True),
        ("spawner", False),
        ("proxy", True),
        ("sensors", True),
    ],
)
def test_the_agent_dies_the_ledger_is_whole_and_what_happened_is_said(
    open_folder: Path, upstream: str, part: str, running: bool
) -> None:
    delay = random.Random(f"{part} {running}").uniform(0.0, 0.2)
    # A machine full of other tests may hold up a healthy guard; and a death sooner than any silence
    # is noticed shows that a guard's own death is.
    room = open_folder / "room"
    trial = crash(
        room, upstream, part, running=running, delay_s=delay, timeout="60s", latest_s=20.0
    )
    assert trial.problems == []
    if running:
        assert trial.alive > 4
        assert trial.records is not None
        assert trial.told
