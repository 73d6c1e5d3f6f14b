"""Heads of a ledger, kept where the agent cannot reach them.

Whoever can rewrite a whole ledger can also recompute its chain. A head (how many records, and the
digest of the last) that lies elsewhere binds everything before it: a cut tail and a full rewrite
then show. An anchor is a file of JSON lines in another folder, best one that is append-only or on
another host; its first line carries the public key.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from offswitch.errors import LedgerError

__all__ = ["Anchor", "Head", "open_anchor", "read_anchor"]


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a ledger was at some time, and what bound it."""

    count: int
    """Number of records."""
    digest: str
    """Digest of the last of them."""
    public_key: str = ""
    """The key that signs this ledger: 64 hex digits; empty where it was not noted."""


class Anchor:
    """An open anchor file; every head is one write: a kill tears the last line at most."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def note(self, head: Head) -> None:
        """Append a head."""
        os.write(self._descriptor, msgspec.json.encode(head) + b"\n")

    def close(self) -> None:
        """Put it on disk and close it."""
        os.fsync(self._descriptor)
        os.close(self._descriptor)


def open_anchor(path: str | os.PathLike[str]) -> Anchor:
    """A new anchor file, readable by its owner alone.

    Raises:
        LedgerError: the file is there already or cannot be made.
    """
    try:
        return Anchor(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600))
    except OSError as problem:
        raise LedgerError(
            f"cannot make the anchor {path}: {problem.strerror}. Name a new file in a folder that "
            "exists and that the agent cannot write to."
        ) from problem


def read_anchor(path: str | os.PathLike[str]) -> tuple[Head, ...]:
    """Every head of an anchor file, in order; a torn last line is left out.

    Raises:
        LedgerError: the file cannot be read, holds no head, or a line is not one.
    """
    try:
        *lines, _torn = Path(path).read_bytes().split(b"\n")
    except OSError as problem:
        raise LedgerError(f"cannot read the anchor {path}: {problem.strerror}.") from problem
    heads: list[Head] = []
    for number, line in enumerate(lines, start=1):
        try:
            heads.append(msgspec.json.decode(line, type=Head))
        except ValueError as problem:
            raise LedgerError(
                f"{path}, line {number}: got {line[:60]!r}, expected a head of a ledger: {problem}."
            ) from problem
    if not heads:
        raise LedgerError(f"{path} holds no head. Give the anchor that the guarded run wrote.")
    return tuple(heads)
