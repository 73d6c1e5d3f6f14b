"""Mistakes with `offswitch guard` are told in words, without a traceback."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from offswitch.cli.guard import drill
from offswitch.cli.guard.run import _told
from offswitch.cli.program import cli
from offswitch.errors import OffswitchError
from offswitch.guard.policy.read import read_policy
from offswitch.guard.proxy.reconcile import Effect, reconcile
from offswitch.guard.supervisor.ladder import Level
from offswitch.guard.supervisor.protocol import ShutdownResult
from offswitch.guard.supervisor.result import RunResult, result_fields
from offswitch.guard.supervisor.runs import RESULT, create_run, write_state


def told(folder: Path, *arguments: str) -> tuple[int, str]:
    runner = CliRunner()
    done = runner.invoke(cli, ["guard", *arguments], env={"XDG_STATE_HOME": str(folder)})
    if isinstance(done.exception, OffswitchError):
        return 2, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stpo"], "Did you mean 'stop'?"),
        (["run", "--", "ls"], "--policy"),
        (["run", "--policy", "none.yaml", "--", "ls"], "offswitch guard init"),
        (["run", "--policy", "none.yaml"], "PROGRAM"),
        (["stop", "none"], "unknown run 'none'"),
        (["stop", "none", "--patience", "-1"], "--patience"),
        (["pause", "none"], "unknown run"),
        (["stop", ""], "no run was named"),
        (["run", "--policy", "/dev/zero", "--", "ls"], "no policy is"),
        (["resume", "none"], "unknown run"),
        (["status", "none"], "unknown run"),
        (["verify", "none"], "does not exist"),
        (["verify", "/dev/null"], "is a device"),
        (["verify", "--anchor", "/dev/null", __file__], "is a device"),
        (["verify", "--head", "3f", __file__], "'3f', expected 64 hex digits"),
        (["verify", "--key", "", __file__], "'', expected 64 hex digits"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, arguments: list[str], words: str) -> None:
    code, output = told(tmp_path, *arguments)
    assert code == 2
    assert words in output


HOSTILE = "persistence 1.0: git hook .git/hooks/\x1b]0;title\x07\x1b[2J\u202ename\n"


def test_names_that_an_agent_chose_cannot_move_an_operators_terminal(tmp_path: Path) -> None:
    run = create_run("one", tmp_path / "offswitch" / "runs")
    result = RunResult(
        run.id, "ladder", HOSTILE, None, True, None,
        ShutdownResult(True, 0.1, (), None), Level.KILL, 1.0,
    )  # fmt: skip
    write_state(run, result_fields(result), RESULT)
    code, output = told(tmp_path, "status", "one")
    late = SimpleNamespace(alarms=(("persistence", HOSTILE),), problem=HOSTILE)
    done = SimpleNamespace(
        result=result, ledger="ledger", head=SimpleNamespace(digest="head"), last_look=late,
        reconciled=reconcile([], [], [Effect(1.0, "program", HOSTILE)]),
    )  # fmt: skip
    for text in (output, _told(done)):
        assert "git hook .git/hooks/\\x1b]0;title\\x07" in text
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert code == 0


def test_a_run_that_had_ended_is_not_told_as_stopped(tmp_path: Path) -> None:
    run = create_run("one", tmp_path / "offswitch" / "runs")
    write_state(run, {"verified": True}, RESULT)
    assert told(tmp_path, "stop", "one") == (0, "It had ended before: verified empty.\n")


def test_a_policy_to_start_from_is_one_that_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    assert told(tmp_path, "init", str(path))[0] == 0
    assert read_policy(path).jail.workspace == str(tmp_path / "work")
    assert (tmp_path / "work").is_dir()


def test_a_policy_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("mine")
    code, output = told(tmp_path, "init", str(path))
    assert (code, path.read_text()) == (2, "mine")
    assert "is there already" in output


def test_every_problem_of_a_policy_is_told_before_anything_runs(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("version: 2\nrulse: []\n")
    code, output = told(tmp_path, "run", "--policy", str(path), "--", "ls")
    assert code == 2
    assert "version" in output
    assert "'rules'" in output


@pytest.mark.parametrize("command", ["run", "drill"])
@pytest.mark.parametrize("name", ["", " "])
def test_a_name_that_is_given_and_blank_is_refused(tmp_path: Path, command: str, name: str) -> None:
    (tmp_path / "work").mkdir()
    path = tmp_path / "policy.yaml"
    path.write_text("version: 1\nrules: []\n")
    code, output = told(tmp_path, command, "--policy", str(path), "--name", name, "--", "ls")
    assert code == 2
    assert f"run name {name!r}" in output
    assert "one or more characters" in output
    assert not [*tmp_path.glob("offswitch/runs/*")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--every", "5s", "--window", "2s"],
            "drill to the next are 5 s, expected at least 4 wind",
        ),
        (["--window", "0s"], "a window lasts 0 s"),
        (["--every", "3h"], "--every: got '3h', but the policy ends every run after 7200 s"),
        (["--drills", "10001"], "10001 drills, expected 1 to 10000"),
        (["--real", "nan"], "the chance of a real stop is nan"),
        (["--seed", ""], "0 characters, expected at least 32"),
    ],
)
def test_drills_that_cannot_be_held_are_told_in_the_words_of_the_command(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nrules: []\n")
    code, output = told(tmp_path, "drill", "--policy", str(policy), *arguments, "--", "true")
    assert (code, words in " ".join(output.split())) == (2, True)
    assert not (tmp_path / "offswitch" / "runs").exists()


def test_drills_that_begin_in_the_same_second_have_two_names() -> None:
    assert drill._new_name() != drill._new_name()
