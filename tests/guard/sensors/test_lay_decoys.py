"""Root lays decoys in a folder of somebody else, who may swap names for links meanwhile."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import pytest

from offswitch.errors import GuardError
from offswitch.guard.sensors.decoys import DECOYS, FOLDER, held_alone, lay_decoys


@pytest.fixture
def at(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    (tmp_path / "host").mkdir()
    return tmp_path


def test_decoys_of_an_earlier_run_are_laid_anew_with_their_modes(at: Path) -> None:
    for _ in range(2):
        lay_decoys(at / "work")
        (at / "work" / DECOYS[0].path).write_text("changed")
    lay_decoys(at / "work")
    for decoy in DECOYS:
        path = at / "work" / decoy.path
        assert path.read_text() == decoy.text
        wanted = 0o755 if decoy.role == "switch" else 0o644
        assert stat.S_IMODE(path.stat().st_mode) == wanted


def test_a_second_run_does_not_lay_its_decoys_under_a_living_agent(at: Path) -> None:
    first = held_alone(at / "work")
    with pytest.raises(GuardError, match="another run"):
        held_alone(at / "work")
    os.close(first)
    os.close(held_alone(at / "work"))


def test_a_link_in_the_place_of_the_folder_is_not_followed(at: Path) -> None:
    (at / "work" / FOLDER).symlink_to(at / "host")
    (at / "host" / "goal.md").write_text("the host's")
    with pytest.raises(GuardError, match="cannot lay decoys"):
        lay_decoys(at / "work")
    assert [one.name for one in (at / "host").iterdir()] == ["goal.md"]


def test_nothing_outside_is_made_or_given_away_where_the_folder_is_swapped(
    at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a hostile owner of the workspace does between any two steps of root."""
    outside = at / "host" / "shadow"
    outside.write_text("secret")
    before = outside.stat()
    place = at / "work" / FOLDER

    def swap() -> None:
        if place.is_dir() and not place.is_symlink():
            place.rename(at / "work" / f"old{os.urandom(4).hex()}")
        if not place.is_symlink():
            place.symlink_to(at / "host")
        for folder in (at / "work").iterdir():
            if folder.is_dir() and not folder.is_symlink():
                for decoy in DECOYS:
                    name = folder / Path(decoy.path).name
                    if name.is_file() and not name.is_symlink():
                        name.unlink()
                        name.symlink_to(outside)

    for name in ("open", "mkdir", "chmod", "chown", "fchmod", "fchown", "write"):
        monkeypatch.setattr(os, name, _then(getattr(os, name), swap))
    with contextlib.suppress(GuardError):
        lay_decoys(at / "work")
    monkeypatch.undo()
    after = outside.stat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)
    assert [one.name for one in (at / "host").iterdir()] == ["shadow"]


def _then(call, swap):  # type: ignore[no-untyped-def] # any function of `os`
    def called(*given, **named):  # type: ignore[no-untyped-def]
        result = call(*given, **named)
        swap()
        return result

    return called
