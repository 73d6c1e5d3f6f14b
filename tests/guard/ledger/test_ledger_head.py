"""The head of a ledger is there for the heartbeat, whatever its disk is doing."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from offswitch.guard.journal import LedgerJournal
from offswitch.guard.ledger.writer import LedgerWriter


def test_a_disk_that_hangs_does_not_hold_up_whoever_asks_for_the_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang(_: int) -> None:
        begun.set()
        assert go_on.wait(120)

    journal = LedgerJournal(
        lambda statement: LedgerWriter(tmp_path / "ledger", statement, sync="each"), authority=""
    )
    journal.open({})
    first = journal.head()
    monkeypatch.setattr(os, "fdatasync", hang)
    journal.record("ladder", {})
    assert begun.wait(60)
    try:
        asked = threading.Thread(target=journal.head, daemon=True)
        asked.start()
        asked.join(30)
        assert not asked.is_alive(), "the heartbeat waits for the disk"
        digest, pending = journal.head()
        assert (digest != first[0], pending) == (True, 1), "written, and not yet safe"
    finally:
        go_on.set()
        monkeypatch.undo()
    assert journal.close("") is not None
