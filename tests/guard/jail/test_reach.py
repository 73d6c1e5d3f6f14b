"""What the agent's user may reach, and what of the run it must not see."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jails import ORDINARY, folders
from msgspec.structs import replace

from offswitch.errors import GuardError
from offswitch.guard.jail import inside, reach
from offswitch.guard.jail.host import inspect_host
from offswitch.guard.jail.reach import check_paths, interpreter_for
from offswitch.guard.jail.settings import JailPolicy

HOST = replace(inspect_host(), uid=0)
PYTHON = "/usr/bin/python3"


def problems(run_dir: str | Path, workspace: str, *read: str, uid: int = ORDINARY) -> str:
    try:
        policy = JailPolicy(workspace=workspace, read=read)
        check_paths(policy, HOST, uid, Path(run_dir), PYTHON)
    except GuardError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("mode", "owner", "group", "wanted", "may"),
    [(0o700, 7, 1, 0o3, True), (0o500, 7, 1, 0o3, False), (0o077, 7, 1, 0o4, False),
     (0o600, 7, 1, 0o3, False), (0o070, 1, 7, 0o3, True), (0o050, 1, 7, 0o3, False),
     (0o707, 1, 7, 0o1, False), (0o007, 1, 1, 0o3, True), (0o006, 1, 1, 0o3, False),
     (0o770, 1, 1, 0o1, False), (0o770, 1, 0, 0o1, False)],
)  # fmt: skip
def test_of_owner_group_and_others_the_first_that_fits_decides(
    mode: int, owner: int, group: int, wanted: int, may: bool
) -> None:
    found: Any = SimpleNamespace(st_mode=0o40000 | mode, st_uid=owner, st_gid=group)
    assert reach._may(found, HOST, 7, wanted) is may


def test_the_guards_own_user_has_the_guards_groups() -> None:
    found: Any = SimpleNamespace(st_mode=0o40070, st_uid=1, st_gid=os.getgid())
    assert reach._may(found, replace(HOST, uid=7), 7, 0o7)
    assert not reach._may(found, replace(HOST, uid=8), 7, 0o7) or os.getgid() == 7


def test_the_runs_folder_is_found_behind_every_link_and_in_every_folder_that_is_shown(
    open_folder: Path,
) -> None:
    with folders() as (workspace, run_dir):
        assert problems(run_dir, workspace) == ""
        link = open_folder / "link"
        link.symlink_to(run_dir)
        seen = f"the run's own folder {run_dir}/1 lies in"
        Path(run_dir, "1").mkdir()
        assert seen in problems(f"{run_dir}/1", workspace, str(link))
        assert f"the run's own folder {workspace}/1 lies in" in problems(
            f"{workspace}/1", workspace
        )
        (open_folder / "work").symlink_to(workspace)
        assert "lies in" in problems(f"{workspace}/1", str(open_folder / "work"))
        assert "lies in" in problems(open_folder / "work/1", workspace)
        assert f"{workspace} lies in the run's own folder" in problems("/tmp", workspace)
        assert "lies in /usr, which" in problems("/usr/share/runs/1", workspace)


@pytest.mark.skipif(os.getuid() != 0, reason="only root has files that another cannot reach")
@pytest.mark.parametrize(("parent", "own"), [(0o700, 0o755), (0o755, 0o700), (0o744, 0o755)])
def test_a_folder_that_the_agents_user_cannot_reach_is_told(
    parent: int, own: int, open_folder: Path
) -> None:
    with folders() as (workspace, run_dir):
        closed = open_folder / "a" / "b"
        closed.mkdir(parents=True)
        closed.chmod(own)
        closed.parent.chmod(parent)
        assert f"user {ORDINARY} cannot reach {closed}" in problems(run_dir, workspace, str(closed))
        closed.chmod(0o755)
        closed.parent.chmod(0o711)
        assert problems(run_dir, workspace, str(closed)) == ""
        assert "No such file" in problems(run_dir, workspace, str(closed / "gone"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root runs an agent as another user")
@pytest.mark.parametrize("mode", [0o100, 0o200, 0o500, 0o077])
def test_a_workspace_is_written_and_entered(mode: int) -> None:
    with folders() as (workspace, run_dir):
        Path(workspace).chmod(mode)
        assert "may not write the workspace" in problems(run_dir, workspace)
        Path(workspace).chmod(0o700)


def test_a_guard_or_a_python_that_the_agents_user_cannot_read_is_told(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Path] = []
    real = reach._unreachable

    def unreachable(path: Path, host: Any, uid: int) -> str | None:
        return "closed" if path in closed else real(path, host, uid)

    monkeypatch.setattr(reach, "_unreachable", unreachable)
    own = interpreter_for(HOST, 0)
    closed.append(Path(own))
    assert interpreter_for(HOST, 0) == PYTHON
    closed.append(Path(PYTHON))
    with pytest.raises(GuardError, match="cannot run"):
        interpreter_for(HOST, 0)
    with folders() as (workspace, run_dir):
        closed.append(Path(inside.__path__[0]))
        assert "cannot read the guard's entry program" in problems(run_dir, workspace)
