"""What Landlock is asked for, in the numbers of the kernel's own header, for each version of it."""

from __future__ import annotations

import os
import signal
import struct
from pathlib import Path
from typing import Any

import pytest

from offswitch.guard.jail.inside import kernel, landlock

FILES = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF, 6: 0xFFFF}
"""LANDLOCK_ACCESS_FS_*: since 2 REFER (0x2000), since 3 TRUNCATE, since 5 IOCTL_DEV."""
READ_FILE, READ_FOLDER, DEVICE, NO_DEVICES = 0x5, 0xD, 0xC007, ~0x8840


class Kernel:
    """Keeps what it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: tuple[int, ...] = ()
        self.rules: dict[tuple[int, object], int] = {}
        self.steps: list[Any] = []
        monkeypatch.setattr(landlock, "call", self.call)
        monkeypatch.setattr(landlock, "prctl", lambda *given: self.steps.append(given))

    def call(self, name: str, *given: Any) -> int:
        if name == "landlock_create_ruleset":
            self.made = struct.unpack(f"={given[1] // 8}Q", given[0])
            return os.open("/dev/null", os.O_RDONLY)
        if name == "landlock_add_rule" and given[1] == 1:
            allowed, place = struct.unpack("=Qi", given[2])
            self.rules[1, str(Path(f"/proc/self/fd/{place}").readlink())] = allowed
        elif name == "landlock_add_rule":
            allowed, port = struct.unpack("=QQ", given[2])
            self.rules[given[1], port] = allowed
        else:
            self.steps.append(name)
        return 0


@pytest.mark.parametrize("abi", FILES)
def test_everything_a_version_can_forbid_is_forbidden_but_what_is_listed(
    abi: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Kernel(monkeypatch)
    file, work = tmp_path / "file", tmp_path / "work"
    file.touch()
    work.mkdir()
    read = [str(tmp_path), str(file), str(tmp_path / "gone")]
    landlock.restrict(abi, read, [str(work)], ["/dev/null"], [8080])
    network, scopes = (3,) * (abi >= 4), (3,) * (abi >= 6)
    assert asked.made == (FILES[abi], *network, *scopes)
    port = {(2, 8080): 3} if abi >= 4 else {}
    assert asked.rules == {
        (1, str(tmp_path)): READ_FOLDER, (1, str(file)): READ_FILE,
        (1, str(work)): FILES[abi] & NO_DEVICES, (1, "/dev/null"): FILES[abi] & DEVICE, **port,
    }  # fmt: skip
    assert asked.steps == [(38, 1), "landlock_restrict_self"]


def test_a_path_that_cannot_be_opened_for_another_reason_than_that_it_is_not_there_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Kernel(monkeypatch)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OSError, match="symbolic links"):
        landlock.restrict(6, [], [str(tmp_path / "loop")], [], [])
    assert "landlock_restrict_self" not in asked.steps


def test_what_the_kernel_refuses_is_an_error_and_never_passed_over() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        kernel.call("landlock_add_rule", -1, 1, bytes(12), 0)
    with pytest.raises(OSError, match="Invalid argument"):
        kernel.prctl(99999, 0)
    assert kernel.checked(7) == 7


def test_the_probes_have_a_time_after_which_the_kernel_ends_them() -> None:
    before = signal.alarm(0)
    kernel.end_after(20)
    assert signal.alarm(before) in (19, 20)
