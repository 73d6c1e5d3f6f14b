"""The journal of an audit: every finished episode and cell, on disk before the next one begins.

One file per unit, appended by the one process that runs the unit, so an interrupted audit loses at
most the line being written. `--resume` reads it back; a finished audit removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from offswitch.audit.plan import Unit
from offswitch.audit.records import CellRecord, EpisodeRecord, Record
from offswitch.audit.result import RunSettings
from offswitch.errors import AuditError

__all__ = ["Journal", "close_progress", "open_journal", "open_progress"]

FOLDER = ".progress"
SETTINGS_FILE = "settings.json"
LOCK_FILE = ".lock"
_CLAIMS: dict[Path, int] = {}
"""Output folder -> the open lock by which this process holds it; the kernel frees it at the end."""


class Journal:
    """The journal inside an output folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, unit: Unit) -> Path:
        """Where the records of `unit` stand."""
        return self._folder / (hashlib.sha256(unit.name.encode()).hexdigest()[:24] + ".jsonl")

    def records(self, unit: Unit) -> tuple[Record, ...]:
        """What an earlier run finished of `unit`; a last line cut short is left out."""
        path = self.path(unit)
        if not path.exists():
            return ()
        return tuple(_records(path))

    def appender(self, unit: Unit) -> BinaryIO:
        """The unit's file, ready to take the next record, without a broken last line."""
        path = self.path(unit)
        if path.exists():
            whole = path.read_bytes()
            kept = whole[: whole.rfind(b"\n") + 1]
            if kept != whole:
                path.write_bytes(kept)
        return path.open("ab", buffering=0)

    def content(self, unit: Unit) -> bytes:
        """Everything that stands in the unit's file."""
        path = self.path(unit)
        return path.read_bytes() if path.exists() else b""

    def replace(self, unit: Unit, content: bytes) -> None:
        """Puts `content` in the place of the unit's file, whole or not at all."""
        path = self.path(unit)
        partly = path.with_suffix(".partly")
        partly.write_bytes(content)
        partly.replace(path)

    def remove(self) -> None:
        """Delete the journal; the report holds everything now. Another audit may use the folder."""
        close_progress(self._folder)


def _records(path: Path) -> Iterator[Record]:
    decoder = msgspec.json.Decoder(EpisodeRecord | CellRecord)
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):  # what follows the last newline is partial
        try:
            yield decoder.decode(line)
        except msgspec.DecodeError as error:
            raise AuditError(
                f"{path}, line {number}: not a journal record ({error}). The journal was edited; "
                "run without --resume to start over."
            ) from None


def open_journal(out: Path, settings: RunSettings, *, resume: bool) -> Journal:
    """The journal in `out`: an earlier one when resuming, otherwise a new empty one.

    Raises:
        AuditError: `out` cannot be written, or the earlier run had other settings.
    """
    folder = open_progress(out, settings, resume=resume)
    try:
        (out / "traces").mkdir(exist_ok=True)
    except OSError as error:
        raise _unwritable(out, error) from None
    return Journal(folder)


def open_progress(out: Path, settings: msgspec.Struct, *, resume: bool) -> Path:
    """The folder in `out` that keeps what is finished; nobody else may write there until it closes.

    Raises:
        AuditError: `out` cannot be written, or the earlier run had other settings.
    """
    folder = out / FOLDER
    wanted = msgspec.json.encode(settings, order="sorted")
    try:
        out.mkdir(parents=True, exist_ok=True)
        _claim(out)
        _check_no_folder(out / "report.json")
        _check_no_folder(out / "report.html")
        if resume and (folder / SETTINGS_FILE).exists():
            _check_same(folder / SETTINGS_FILE, wanted)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / SETTINGS_FILE).write_bytes(wanted)
    except OSError as error:
        raise _unwritable(out, error) from None
    return folder


def close_progress(folder: Path) -> None:
    """Delete what was kept: the report holds everything now. Others may use the folder again."""
    shutil.rmtree(folder)
    _release(folder.parent)


def _unwritable(out: Path, error: OSError) -> AuditError:
    return AuditError(
        f"cannot write to the output folder {str(out)!r}: {error.strerror}. Name one that can "
        "be written with --out DIR."
    )


def _claim(out: Path) -> None:
    """Keep other audits out of `out` until the journal is removed or this process ends.

    Raises:
        AuditError: another audit is writing there.
    """
    where = out.resolve()
    if where in _CLAIMS:
        return
    lock = os.open(where / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise AuditError(
            f"another audit is writing into {str(out)!r}. Wait for it, or use --out DIR."
        ) from None
    _CLAIMS[where] = lock


def _release(out: Path) -> None:
    lock = _CLAIMS.pop(out.resolve(), None)
    if lock is not None:
        (out / LOCK_FILE).unlink(missing_ok=True)
        os.close(lock)


def _check_no_folder(path: Path) -> None:
    if path.is_dir():
        raise AuditError(f"{path} is a folder, expected a file to write. Move it or use --out DIR.")


def _check_same(path: Path, wanted: bytes) -> None:
    earlier = path.read_bytes()
    if earlier == wanted:
        return
    try:
        old, new = msgspec.json.decode(earlier), msgspec.json.decode(wanted)
        differing = [
            f"{name}: {old.get(name)!r} before, {new[name]!r} now"
            for name in new
            if old.get(name) != new[name]
        ]
    except (msgspec.DecodeError, AttributeError):
        differing = ["the earlier settings cannot be read"]
    raise AuditError(
        "cannot resume: the interrupted audit had other settings ("
        + "; ".join(differing)
        + "). Give the same options, or run without --resume to start over."
    )
