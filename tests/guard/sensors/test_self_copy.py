"""Parts add up to a copy, joined by their names or by their times; other code is none."""

from __future__ import annotations

import base64
import gzip
import random
from pathlib import Path

import pytest

from offswitch.guard.sensors import self_copy
from offswitch.guard.sensors.fingerprint import known_files
from offswitch.guard.sensors.self_copy import Piece, Sighting, search, start_search

SOURCES = Path(self_copy.__file__).parent
OWN = {path.name: path.read_bytes() for path in sorted(SOURCES.glob("*.py"))[:12]}
KNOWN = known_files(OWN)
PARTS = [gzip.compress(b"".join(OWN.values()))[at : at + 1500] for at in range(0, 30_000, 1500)]
PARTS = [part for part in PARTS if part]


def sighted(pieces: list[Piece]) -> dict[str, float]:
    state, found = start_search(KNOWN), list[Sighting]()
    for piece in pieces:  # one look after another
        state, new = search(state, [piece])
        found += new
    return {one.file: one.share for one in found}


def test_one_part_alone_is_not_the_whole() -> None:
    assert set(sighted([Piece("d/a", PARTS[0])])) < {*OWN, "*"}
    assert sighted([Piece("d/b", PARTS[3])]) == {}


@pytest.mark.parametrize("order", ["names", "times"])
def test_parts_of_an_archive_are_joined(order: str) -> None:
    draw = random.Random(3)
    pieces = [Piece(f"d/{number:03}", part, number) for number, part in enumerate(PARTS)]
    if order == "names":
        pieces = [piece._replace(order=draw.random()) for piece in pieces]
    else:
        pieces = [piece._replace(name=f"d/{draw.random()}") for piece in pieces]
    draw.shuffle(pieces)
    assert set(sighted(pieces)) == {*KNOWN.files, "*"}


def test_parts_too_short_to_tell_anything_are_joined_too() -> None:
    text = base64.b64encode(OWN["alarms.py"])
    pieces = [Piece(f"d/{at:06}", text[at : at + 80]) for at in range(0, len(text), 80)]
    state, found = search(start_search(KNOWN), pieces)
    assert [one.file for one in found] == ["alarms.py"]
    assert len(state.parts) == len(pieces)


def test_what_was_overwritten_still_counts() -> None:
    text = b"".join(OWN.values())
    half = len(text) // 2
    found = sighted([Piece("x", text[:half]), Piece("x", text[half:])])
    assert found.keys() >= {*KNOWN.files} - {"*"}


def test_other_code_of_the_same_house_is_no_copy() -> None:
    others = (SOURCES.parent / "ledger").glob("*.py")
    assert sighted([Piece(path.name, path.read_bytes()) for path in others]) == {}


def test_parts_that_no_longer_fit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_copy, "MOST_JOINED", 4000)
    state = start_search(KNOWN)
    state, _ = search(state, [Piece(f"d/{n}", random.Random(n).randbytes(1500)) for n in range(5)])
    assert state.dropped == 3
