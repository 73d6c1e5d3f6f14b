"""A process that writes a ledger as fast as it can, killed; and the same ledger cut in a record."""

from __future__ import annotations

import mmap
import os
import random
import select
import signal
import struct
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from offswitch.errors import LedgerError
from offswitch.guard.journal import LedgerJournal
from offswitch.guard.ledger.anchor import open_anchor, read_anchor
from offswitch.guard.ledger.recover import TORN, recover_ledger
from offswitch.guard.ledger.verify import verify_ledger
from offswitch.guard.ledger.writer import LedgerWriter

NUMBER = struct.Struct("<Q")


@dataclass
class Written:
    """What was left of one ledger."""

    acked: int = 0
    """Records that the writer said were written."""
    records: int = 0
    torn: int = 0
    """Bytes of a record that is not whole."""
    problems: list[str] = field(default_factory=list)


def killed_writer(folder: Path, delay_s: float) -> Written:
    """A ledger in the new `folder` whose writer was killed `delay_s` after its first record.

    The kernel may end the write of a killed process where a page of the file does.
    """
    folder.mkdir()
    acks, said = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(acks)
        _write(folder, said)
    os.close(said)
    heard = _heard(acks, pid, delay_s)
    os.close(acks)
    trial = Written(acked=1 + max(heard, default=-1))
    try:
        found = verify_ledger(folder / "ledger", heads=read_anchor(folder / "heads"))
        trial.records = found.head.count
        trial.torn = found.torn_bytes
        if trial.torn and (folder / "ledger").stat().st_size % mmap.PAGESIZE:
            trial.problems.append(f"{trial.torn} bytes of a record, cut off inside a page")
    except LedgerError as problem:
        trial.problems.append(str(problem))
    if not 0 < trial.acked <= trial.records:
        trial.problems.append(f"{trial.acked} records were acknowledged, {trial.records} are there")
    return trial


def _heard(acks: int, pid: int, delay_s: float) -> list[int]:
    """Numbers acknowledged before the writer was killed, some seconds after the first."""
    data = os.read(acks, 1 << 16)
    end = time.monotonic() + delay_s
    while (left := end - time.monotonic()) > 0:
        if select.select([acks], [], [], left)[0]:
            data += os.read(acks, 1 << 16)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while piece := os.read(acks, 1 << 16):
        data += piece
    whole = len(data) - len(data) % NUMBER.size
    return [number for (number,) in NUMBER.iter_unpack(data[:whole])]


def _write(folder: Path, said: int) -> NoReturn:
    """As a supervisor does: notes through the journal's thread, acts straight into the ledger."""
    try:
        journal = LedgerJournal(lambda statement: _ledger(folder, statement), authority="a rule")
        journal.open({"program": "p"})
        ledger = journal.ledger
        assert ledger is not None
        threading.Thread(target=_note, args=(journal,), daemon=True).start()
        while True:
            number = ledger.append("act", {"tool": "read", "path": "x" * 200}, actor="agent")
            os.write(said, NUMBER.pack(number))
    finally:
        os._exit(1)


def _note(journal: LedgerJournal) -> None:
    while True:
        journal.record("ladder", {"why": "y" * 50})
        time.sleep(0.0005)


def _ledger(folder: Path, statement: dict[str, Any]) -> LedgerWriter:
    anchor = open_anchor(folder / "heads")
    return LedgerWriter(folder / "ledger", statement, anchor=anchor, sign_every=10)


def cut_record(folder: Path, rng: random.Random) -> Written:
    """The ledger of `killed_writer`, cut inside one of its last records, and recovered.

    What the heads outside bind may not be missing without a word; what they do not bind, and is
    not whole, is cut off, kept beside it and told.
    """
    path, trial = folder / "ledger", Written()
    lines = [one for one in path.read_bytes().splitlines(keepends=True) if one.endswith(b"\n")]
    heads = read_anchor(folder / "heads")
    kept = rng.randint(max(1, len(lines) - 12), len(lines) - 1)
    trial.torn = rng.randint(1, len(lines[kept]) - 1)
    rest = lines[kept][: trial.torn]
    path.write_bytes(b"".join(lines[:kept]) + rest)
    missed = max(head.count for head in heads) > kept
    try:
        recovered = recover_ledger(path, heads)
    except LedgerError as problem:
        if not missed or "tail was cut off" not in str(problem):
            trial.problems.append(str(problem))
        if path.read_bytes() != b"".join(lines[:kept]) + rest:
            trial.problems.append("a ledger that does not verify was changed")
        trial.records = kept
        return trial
    trial.records = recovered.records
    told = (recovered.records, recovered.torn_bytes, recovered.closed)
    if missed or told != (kept, trial.torn, False):
        trial.problems.append(f"told {told} of {kept} records and {trial.torn} torn bytes")
    if path.with_name(path.name + TORN).read_bytes() != rest:
        trial.problems.append("the torn bytes were not kept")
    if path.read_bytes() != b"".join(lines[:kept]) or recover_ledger(path, heads).torn_bytes:
        trial.problems.append("the torn tail was not cut off")
    return trial
