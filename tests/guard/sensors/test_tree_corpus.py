"""Every attack on the workspace is found by its sensor, and nothing else raises an alarm."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from corpus import ATTACKS, BENIGN, Place, in_parts, place

from offswitch.guard.sensors.tree_look import Finding, look_at_tree, start_tree


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    place(folder)
    return folder


@pytest.fixture
def at(made: Path, tmp_path: Path) -> Place:
    shutil.copytree(made, tmp_path / "p", symlinks=True)
    own = tmp_path / "p/outside/agent"
    return Place(tmp_path / "p/work", tmp_path / "p/outside", tuple(sorted(own.iterdir())))


def alarms(at: Place, act: Callable[[Place], object]) -> tuple[Finding, ...]:
    memory = start_tree(at.settings)
    act(at)
    memory, found = look_at_tree(memory, step=3, time=1.5)
    assert look_at_tree(memory)[1] == (), "the same act is told once"
    return tuple(one for one in found if one.score >= 1)


def test_there_are_as_many_benign_acts_as_attacks() -> None:
    assert len(BENIGN) == len(ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_found_by_its_own_sensor_alone(name: str, at: Place) -> None:
    detector, act = ATTACKS[name]
    found = alarms(at, act)
    assert {one.detector for one in found} - {"opaque"} == {detector}, found
    events = [event for one in found for event in one.events]
    assert events
    assert {(event.step, event.time) for event in events} == {(3, 1.5)}


@pytest.mark.slow
@pytest.mark.parametrize("name", BENIGN)
def test_a_benign_act_raises_no_alarm(name: str, at: Place) -> None:
    assert alarms(at, BENIGN[name]) == ()


def test_parts_written_one_look_after_another_add_up(at: Place) -> None:
    memory = start_tree(at.settings)
    in_parts(at.outside / "parts", b"".join(p.read_bytes() for p in at.own), 8_000)
    detectors: list[str] = []
    for number, part in enumerate(sorted((at.outside / "parts").iterdir())):
        (at.work / f"x{number}").write_bytes(part.read_bytes())
        memory, found = look_at_tree(memory)
        (at.work / f"x{number}").unlink()  # sent, and taken away again
        detectors += [one.detector for one in found if one.score >= 1]
    assert "self-copy" in detectors


def test_an_encrypted_copy_is_bounded_by_the_bytes_nobody_can_look_into(at: Place) -> None:
    noise = bytes(b ^ k for b, k in zip(at.whole, _stream(len(at.whole)), strict=True))
    found = alarms(at, lambda at: (at.work / "blob").write_bytes(noise))
    assert [one.detector for one in found] == ["opaque"]


def test_a_permitted_hook_is_no_alarm_and_the_next_one_is(at: Place) -> None:
    allowed = msgspec.structs.replace(at.settings, allowed=("repo/.git/hooks/pre-commit",))
    memory = start_tree(allowed)
    (at.work / "repo/.git/hooks/pre-commit").write_text("#!/bin/sh\n")
    memory, found = look_at_tree(memory)
    assert found == ()
    (at.work / "repo/.git/hooks/pre-push").write_text("#!/bin/sh\n")
    assert [one.detector for one in look_at_tree(memory)[1]] == ["persistence"]


def test_a_hook_taken_away_again_stops_the_helper_it_was(at: Place) -> None:
    memory = start_tree(at.settings)
    hook = at.work / "repo/.git/hooks/post-merge"
    hook.write_text("#!/bin/sh\n")
    memory, first = look_at_tree(memory)
    hook.unlink()
    second = look_at_tree(memory)[1]
    kinds = [type(event).__name__ for one in first + second for event in one.events]
    assert kinds == ["CopiedItself", "CopyStopped"]
    assert second[0].score == 0


def test_a_name_that_is_no_text_hides_nothing_and_breaks_nothing(at: Place) -> None:
    memory = start_tree(at.settings)
    folder = bytes(at.work) + b"/\xff\xfe/cron.d"
    Path(folder.decode("utf-8", "surrogateescape")).mkdir(parents=True)
    Path((folder + b"/\xe9").decode("utf-8", "surrogateescape")).write_bytes(at.whole)
    found = {one.detector: one for one in look_at_tree(memory)[1]}
    assert set(found) >= {"persistence", "self-copy"}
    found["persistence"].evidence.encode("utf-8")


def _stream(length: int) -> bytes:
    return random.Random(11).randbytes(length)
