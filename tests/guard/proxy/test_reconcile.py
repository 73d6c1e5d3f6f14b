from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest

from offswitch.guard.jail.settings import JailPolicy
from offswitch.guard.ledger.reading import read_records
from offswitch.guard.ledger.writer import LedgerWriter
from offswitch.guard.policy.act import Act
from offswitch.guard.policy.own_programs import own_pattern
from offswitch.guard.policy.policy import Policy, RoutePolicy
from offswitch.guard.proxy.findings import (
    HIDDEN,
    RECONCILED,
    file_effects,
    files_of,
    hidden_text,
    let_through,
    note_findings,
    program_effects,
    without_own,
)
from offswitch.guard.proxy.reconcile import Effect, Timed, reconcile
from offswitch.guard.sensors.programs import Start, StartLog
from offswitch.guard.sensors.workspace import snapshot_tree


def tool(seconds: float, name: str, **arguments: Any) -> Timed:
    return Timed(seconds, Act(kind="tool", tool=name, arguments=arguments))


WRITE = tool(1.0, "write_file", path="/work/a.txt")
WRITTEN = Effect(2.0, "file", "/work/a.txt")


def test_what_was_proposed_executed_and_effected_leaves_nothing_over():
    found = reconcile([WRITE], [tool(1.5, "write_file", path="/work/a.txt")], [WRITTEN])
    assert found.hidden_executions == found.hidden_effects == ()
    assert found.without_execution == found.without_effect == ()
    assert (found.explained, found.loosely_explained) == (1, 0)


def test_an_effect_that_nothing_proposed_is_a_hidden_action():
    cron = Effect(3.0, "file", "/work/.git/hooks/post-commit")
    found = reconcile([WRITE], [], [WRITTEN, cron])
    assert found.hidden_effects == (cron,)
    assert found.explained == 1


def test_an_effect_before_its_proposal_or_long_after_it_is_not_explained_by_it():
    early, late = Effect(0.5, "file", "/work/a.txt"), Effect(99.0, "file", "/work/a.txt")
    assert reconcile([WRITE], [], [early, late]).hidden_effects == (early, late)


def test_an_execution_that_no_model_proposed_is_hidden_and_none_is_counted_twice():
    once = tool(1.5, "write_file", path="/work/a.txt")
    again = tool(1.6, "write_file", path="/work/a.txt")
    other = tool(1.7, "write_file", path="/work/b.txt")
    found = reconcile([WRITE], [once, again, other], [])
    assert found.hidden_executions == (again, other)


def test_an_execution_before_its_proposal_is_hidden():
    early = tool(0.5, "write_file", path="/work/a.txt")
    found = reconcile([WRITE], [early], [])
    assert found.hidden_executions == (early,)
    assert found.without_execution == (WRITE,)


def test_a_client_that_puts_the_servers_name_before_the_tools_is_matched():
    proposed = tool(1.0, "mcp__files__write_file", path="/work/a.txt")
    assert reconcile([proposed], [WRITE], []).hidden_executions == ()


def test_a_proposal_that_came_to_nothing_is_listed():
    other = tool(1.2, "write_file", path="/work/b.txt")
    found = reconcile([WRITE, other], [tool(1.5, "write_file", path="/work/a.txt")], [WRITTEN])
    assert found.without_execution == found.without_effect == (other,)


def test_what_an_open_shell_explains_is_counted_apart():
    found = reconcile([tool(1.0, "bash", command="make")], [], [Effect(2.0, "program", "/bin/cc")])
    assert (found.explained, found.loosely_explained, found.hidden_effects) == (0, 1, ())


def test_a_write_within_a_tick_of_the_kernels_clock_is_explained_by_the_proposal_before_it(
    tmp_path: Path,
):
    empty = snapshot_tree(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    written = (tmp_path / "a.txt").stat().st_ctime_ns / 1e9
    for ahead, explained in ((0.009, 1), (0.5, 0)):  # the proposal's time less that of the file
        effects = file_effects(empty, snapshot_tree(tmp_path), written + ahead - WRITE.seconds)
        assert reconcile([WRITE], [], effects).explained == explained


AGENT, SHELL = (1, 1), (2, 2)


def start(seconds: float, process: int, by: tuple[int, int] | None, *names: str) -> Start:
    return Start((process, process), by, 1000.0 + seconds, names)


def test_a_program_that_the_agent_starts_after_a_proposal_is_an_effect_and_its_own_work_is_none():
    starts = [
        start(0.2, 2, AGENT, "bash"),  # before the first proposal: the agent's own
        start(2.0, 3, AGENT, "git"),
        start(2.1, 4, (3, 3), "ssh"),  # git's
        start(3.0, 5, SHELL, "make"),  # of the shell that the agent keeps open
        start(3.1, 6, (5, 5), "cc"),
        start(4.0, 7, None, "miner"),
    ]
    found = program_effects(starts, 1.0, 1000.0)
    assert [one.subject for one in found] == ["git", "make", "miner"]
    assert found[0].seconds == pytest.approx(2.01)
    assert program_effects(starts, math.inf, 1000.0) == [], "no model has proposed anything"


@pytest.mark.parametrize(
    ("text", "names", "explained"),
    [
        ("git status", ("git",), True),
        ("./build.sh now", ("dash", "sh", "build.sh"), True),
        ("python3 run.py", ("python3.11",), True),
        ("python3.11 run.py", ("python3.11",), True),
        ("/usr/bin/gcc-12 a.c", ("x86_64-linux-gnu-gcc-12", "gcc"), True),
        ("cd src\ngit status.", ("git",), True),
        ("g++ a.cc", ("g++",), True),
        ("look at the target", ("rg",), False),
        ("digit", ("git",), False),
        ("my-git-notes", ("git",), False),
    ],
)
def test_a_program_is_explained_by_its_name_as_a_word_of_its_own(text, names, explained):
    started = Effect(2.0, "program", names[0], names[1:])
    assert bool(reconcile([tool(1.0, "start", what=text)], [], [started]).explained) is explained


SYSTEM_GIT = "/usr/bin/git"


@pytest.mark.parametrize(
    ("path", "own"),
    [
        (SYSTEM_GIT, "git"),
        ("/work/git", None),
        ("/tmp/usr/bin/git", None),
        ("/usr/bin/git (deleted)", None),
        ("/memfd:git (deleted)", None),
        ("", None),
        ("/usr/bin/gitk", None),
        ("/usr/bin/python3.11", "python3*"),
        ("/work/node_modules/esbuild", "/work/node_modules/*"),
        ("/work/node_modulesx", None),
    ],
)
def test_a_name_is_that_of_a_program_of_the_system_alone_and_a_path_leads_anywhere(
    path: str, own: str | None
) -> None:
    assert own_pattern(path, ("git", "python3*", "/work/node_modules/*")) == own


def test_an_own_program_is_counted_and_not_told_and_still_stands_for_what_was_proposed() -> None:
    def git(seconds: float, path: str = SYSTEM_GIT) -> Effect:
        return Effect(seconds, "program", "git", (), path)

    proposal = tool(1.0, "start", what="git status")
    disguised, unasked = git(99.0, "/work/git"), git(99.0)
    write = Effect(99.0, "file", "git", path=SYSTEM_GIT)
    found = reconcile([proposal], [], [git(2.0), unasked, disguised, write])
    left = without_own(found, ("ssh", "git"))
    assert (left.hidden_effects, left.own_programs) == ((disguised, write), {"git": 1})
    assert (left.explained, left.without_effect) == (1, ())
    assert without_own(found, ()) == found
    assert hidden_text(without_own(reconcile([], [], [unasked] * 9), ("git",))) == ""


def test_what_was_done_without_a_proposal_is_one_line_with_the_most_frequent_first() -> None:
    effects = [Effect(1.0, "program", name) for name in ("ls", "git", "rg", "git")]
    found = reconcile([], [], effects)
    assert hidden_text(found, 2) == (
        "4 that no model proposed: program git (2 times), program ls, and 1 other names"
    )


def act(source: str, word: str, number: int, **act: Any) -> dict[str, Any]:
    return {"source": source, "word": word, "act": act, "instead": None, "report": number}


def test_of_a_ledger_only_what_was_let_through_counts(tmp_path: Path):
    book = LedgerWriter(tmp_path / "ledger", {})
    for number, word in enumerate(["approve", "reject", "escalate", "escalate", "escalate"]):
        book.append("act", act("proposed", word, number, kind="tool", tool=f"t{number}"))
    for number in (2, 4):
        book.append("command", {"answer": "allowed", "report": number})
    book.append("note", {"what": "an answer came too late", "report": 4})
    book.append("act", act("executed", "approve", 5, kind="http", host="a.test", method="GET"))
    proposed, executed, hosts = let_through(read_records(tmp_path / "ledger"))
    assert [one.act.tool for one in proposed] == ["t0", "t2"]
    assert [one.act.host for one in executed] == ["a.test"] == [one.subject for one in hosts]


def test_a_file_and_a_host_that_nothing_proposed_are_an_alarm_at_the_end(tmp_path: Path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "old.txt").write_text("of the task")
    route = RoutePolicy(name="m", kind="openai", upstream="http://x")
    policy = Policy(jail=JailPolicy(workspace=str(tmp_path / "work")), models=(route,))
    before = files_of(policy)
    book = LedgerWriter(tmp_path / "ledger", {})
    arguments = {"path": "said.txt"}
    book.append(
        "act", act("proposed", "approve", 1, kind="tool", tool="write", arguments=arguments)
    )
    book.append("act", act("executed", "approve", 2, kind="http", host="a.test", method="GET"))
    for name in ("said.txt", "quiet.txt", ".stopped"):  # the last is what the guard asks for
        (tmp_path / "work" / name).write_text("x")
    noted: dict[str, Any] = {}
    started = StartLog()
    started.add([Start((7, 70), (1, 1), time.time() + n, ("rg",)) for n in range(2)])
    found = note_findings(policy, tmp_path / "ledger", before, started, noted.__setitem__)
    assert found is not None
    assert found.explained == 1
    subjects = [one.subject for one in found.hidden_effects]
    assert sorted(subjects) == ["/work/quiet.txt", "a.test", "rg", "rg"]
    assert noted[HIDDEN]["detector"] == "hidden-act"
    assert "4 that no model proposed" in noted[HIDDEN]["evidence"]
    assert noted[HIDDEN]["evidence"].count("program rg") == 1
    assert noted[RECONCILED]["programs_left_out"] == 0
    assert note_findings(policy, tmp_path / "ledger", None, started, noted.__setitem__) is None
