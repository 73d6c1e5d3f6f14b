from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from offswitch.errors import GuardError
from offswitch.guard.stop.processes import boot_id
from offswitch.guard.supervisor import runs
from offswitch.guard.supervisor.notes import opened_target
from offswitch.guard.supervisor.runs import (
    RESULT,
    check_out_of_sight,
    create_run,
    entry_of,
    find_run,
    is_alive,
    list_runs,
    process_note,
    runs_folder,
    write_state,
)


@pytest.mark.parametrize(
    "name", ["", "  ", " a", "a\x1b[2J", "a\nb", "--", "-x", "..", "a/b", "a\0"]
)
def test_a_run_is_named_so_that_it_can_be_typed_and_seen(name: str, tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="not a file name"):
        create_run(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_name_names_no_run_even_where_there_is_but_one(tmp_path: Path) -> None:
    run = create_run("one", tmp_path)
    assert find_run("o", tmp_path) == run
    with pytest.raises(GuardError, match="no run was named"):
        find_run("", tmp_path)


def test_a_run_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run = create_run(folder=tmp_path / "runs")
    finally:
        os.umask(before)
    assert run.folder.stat().st_mode & 0o777 == 0o700


def test_runs_live_in_the_state_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert runs_folder() == tmp_path / "offswitch" / "runs"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    assert runs_folder() == Path.home() / ".local/state/offswitch/runs"


def test_a_dead_run_is_known_by_start_time_not_by_number(tmp_path: Path) -> None:
    me = process_note(os.getpid())
    assert me is not None
    assert is_alive(me, boot_id())
    assert not is_alive({**me, "started": me["started"] - 1}, boot_id()), "another's number"
    assert not is_alive(me, "another boot")
    assert not is_alive(None, boot_id())
    run = create_run("one", tmp_path)
    state = {"boot": boot_id(), "supervisor": {**me, "started": 1}, "outer": me, "init": me}
    write_state(run, state)
    assert [entry.condition for entry in list_runs(tmp_path)] == ["dead"]
    write_state(run, {**state, "supervisor": me})
    assert [entry.condition for entry in list_runs(tmp_path)] == ["running"]
    write_state(run, {"verified": True}, RESULT)
    assert [entry.condition for entry in list_runs(tmp_path)] == ["ended"]


def test_no_handle_is_opened_on_a_number_that_is_now_anothers() -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=-1) as other:
        note = process_note(other.pid)
        assert note is not None
        state = {"boot": boot_id(), "init": note, "outer": {**note, "started": 1}}
        target, guards = opened_target(state)
        assert target.init_pidfd is not None
        assert target.outer_pidfd is None
        assert guards == {}
        os.close(target.init_pidfd)
        assert opened_target({**state, "boot": "another"})[0].init_pidfd is None
        other.kill()


def test_a_run_is_found_by_the_beginning_of_its_name(tmp_path: Path) -> None:
    for name in ("alpha", "alps", "beta"):
        create_run(name, tmp_path)
    assert find_run("b", tmp_path).id == "beta"
    with pytest.raises(GuardError, match="begins 2 runs: alpha, alps"):
        find_run("al", tmp_path)
    with pytest.raises(GuardError, match="Did you mean 'alpha'"):
        find_run("alpah", tmp_path)


def test_of_many_runs_a_wrong_name_is_told_the_nearest_and_how_many_more_there_are(
    tmp_path: Path,
) -> None:
    for number in range(12):
        (tmp_path / f"night-{number:02}").mkdir()
    (tmp_path / "morning").mkdir()
    for name, nearest, more in (
        ("mroning", "Did you mean 'morning'?", "Others: 12."),
        ("nihgt-07", "'night-07' or ", "Others: 8."),
        ("xyz", "There are ", "and 8 more."),
        ("night", "begins 12 runs: night-00, ", "night-04 and 7 more."),
    ):
        with pytest.raises(GuardError) as told:
            find_run(name, tmp_path)
        text = str(told.value)
        assert nearest in text
        assert more in text
        assert sum(path.name in text for path in tmp_path.iterdir()) <= 5
        assert "`offswitch guard status` shows all" in text
    with pytest.raises(GuardError, match="There are no runs yet"):
        find_run("xyz", tmp_path / "none")


def test_a_run_that_is_just_being_made_is_never_one_that_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def write(*given: Any) -> None:
        seen.extend(entry.condition for entry in list_runs(tmp_path))
        write_state(*given)
        seen.extend(entry.condition for entry in list_runs(tmp_path))

    monkeypatch.setattr(runs, "write_state", write)
    create_run("one", tmp_path)
    assert seen == []
    assert [entry.condition for entry in list_runs(tmp_path)] == ["starting"]
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize("name", ["..", "a/b", "taken"])
def test_a_name_that_is_taken_or_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    create_run("taken", tmp_path)
    with pytest.raises(GuardError, match=r"exists already|file name"):
        create_run(name, tmp_path)


def test_a_run_folder_the_agent_would_see_is_refused(tmp_path: Path) -> None:
    run = create_run("one", tmp_path / "runs")
    check_out_of_sight(run, [tmp_path / "work", Path("/usr")])
    (tmp_path / "link").symlink_to(tmp_path)
    for seen in (tmp_path, tmp_path / "runs", tmp_path / "link"):
        with pytest.raises(GuardError, match="which the agent sees"):
            check_out_of_sight(run, [seen])


@pytest.mark.parametrize("text", ["[1]", "", "{", "\0"])
def test_a_run_whose_notes_are_spoiled_is_told_as_that_and_hides_no_other(
    tmp_path: Path, text: str
) -> None:
    run = create_run("one", tmp_path)
    create_run("two", tmp_path)
    (run.folder / "state.json").write_text(text)
    found = [(entry.run.id, entry.condition) for entry in list_runs(tmp_path)]
    assert found == [("one", "unreadable"), ("two", "starting")]
    assert find_run("one", tmp_path) == run
    with pytest.raises(GuardError, match=r"state\.json (holds no JSON object|cannot be read)"):
        entry_of(run)
