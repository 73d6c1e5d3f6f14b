"""Which programs a run started, and which of its processes did: forks are told from starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from agents import agent, until
from offswitch.guard.sensors import programs
from offswitch.guard.sensors.population import Population, ProcessSeen
from offswitch.guard.sensors.process_table import look_at_population, look_at_program
from offswitch.guard.sensors.programs import Known, Program, Start, StartLog, advance_programs

INIT, ROOT = 1, (10, 100)
AGENT = Program("/usr/bin/python3.11", b"python3\0agent.py\0")
GIT = Program("/usr/bin/git", b"git\0status\0")
SHELL = Program("/usr/bin/dash", b"-sh\0")


class Run:
    """A run that is looked at again and again; it was booted 1000 s after 1970."""

    def __init__(self) -> None:
        self.programs = {INIT: Program("/usr/bin/bwrap", b"bwrap\0"), 10: AGENT}
        self.seen = [ProcessSeen(INIT, 90, 0, "bwrap"), ProcessSeen(10, 100, INIT, "python3")]
        self.known: dict[tuple[int, int], Known] = {}

    def process(self, pid: int, parent: int, program: Program | None, name: str = "") -> None:
        self.seen = [one for one in self.seen if one.pid != pid]
        self.seen.append(ProcessSeen(pid, 100 + 10 * pid, parent, name or f"p{pid}"))
        if program is not None:
            self.programs[pid] = program

    def gone(self, pid: int) -> None:
        self.seen = [one for one in self.seen if one.pid != pid]

    def look(self) -> list[tuple[int, int | None, str]]:
        """Process, the one that it came from, and program of every start since the last look."""
        return [(one.process[0], one.by and one.by[0], one.names[0]) for one in self.starts()]

    def starts(self, wall_s: float = 1500.0) -> tuple[Start, ...]:
        people = Population(tuple(self.seen), ROOT, frozenset({INIT}))
        self.known, found = advance_programs(
            self.known, people, ROOT, self.programs.get, wall_s, wall_s - 1000.0
        )
        return found


@pytest.fixture
def run() -> Run:
    run = Run()
    assert run.look() == [], "neither the jail's init nor the agent itself"
    return run


def test_a_program_is_a_start_of_the_process_it_came_from_and_is_told_once(run: Run) -> None:
    run.process(11, 10, SHELL)
    run.process(12, 11, GIT)
    assert run.look() == [(11, 10, "dash"), (12, 11, "git")]
    assert run.look() == []


def test_a_fork_is_no_start_and_what_it_starts_comes_from_where_it_was_forked(run: Run) -> None:
    run.process(11, 10, AGENT)
    run.process(12, 11, AGENT)
    run.process(13, 12, GIT)
    assert run.look() == [(13, 10, "git")]


def test_the_same_interpreter_with_other_arguments_is_a_start(run: Run) -> None:
    run.process(11, 10, AGENT._replace(command=b"python3\0other.py\0"))
    assert run.look() == [(11, 10, "python3.11")]


def test_a_process_that_executes_another_program_starts_it_and_the_agent_itself_does_not(
    run: Run,
) -> None:
    run.process(11, 10, AGENT, "python3")
    assert run.look() == []
    run.process(11, 10, GIT, "git")
    run.process(10, INIT, GIT, "agent")
    run.seen[-1] = run.seen[-1]._replace(started=100)
    assert run.look() == [(11, 10, "git")]


def test_forks_of_an_agent_that_executed_its_program_under_the_same_name_are_none(
    run: Run,
) -> None:
    run.programs[10] = AGENT._replace(command=b"python3\0-m\0agent\0")
    run.process(11, 10, run.programs[10])
    assert run.look() == []
    run.programs[11] = GIT._replace(command=b"git\0daemon\0")
    run.process(12, 11, run.programs[11])
    assert run.look() == [(11, 10, "git")], "seen as soon as it is asked for again"


def test_a_process_that_only_renames_itself_starts_nothing(run: Run) -> None:
    run.process(11, 10, GIT, "git")
    run.look()
    run.process(11, 10, None, "worker")
    assert run.look() == []


def test_of_an_orphan_nobody_knows_the_parent_but_a_fork_of_the_agent_is_none(run: Run) -> None:
    run.process(11, INIT, GIT)
    run.process(12, INIT, AGENT)
    assert run.look() == [(11, None, "git")]
    run.process(13, 12, SHELL)
    assert run.look() == [(13, 10, "dash")]


def test_what_ended_before_it_was_asked_for_is_not_seen(run: Run) -> None:
    run.process(11, 10, None)
    assert run.look() == []
    run.gone(11)
    assert run.look() == []
    assert set(run.known) == {(INIT, 90), ROOT}


def test_a_start_has_its_processs_time_and_every_name_it_goes_by(run: Run) -> None:
    tick = programs._TICK
    run.process(11, 10, SHELL, "build.sh")
    run.process(12, 10, Program("", b""), "\n")
    run.process(13, 10, Program("/tmp/\udcfe (deleted)", b"/a/\xff"), "y")
    first, second, third = run.starts()
    assert first.names == ("dash", "sh", "build.sh")
    assert (first.path, second.path) == (SHELL.path, "")
    assert third.path.endswith(" (deleted)"), "no longer where its name says"
    assert first.seconds == pytest.approx(1000.0 + (100 + 110) / tick)
    assert second.names == ("\n",)
    assert third.names == ("\\udcfe", "\\xff", "y")
    assert msgspec.json.encode(third), "a name that is no text ends no sensor"


def test_starts_beyond_the_bound_are_counted_and_none_is_told_before_anybody_looked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(programs, "MOST_STARTS", 2)
    log = StartLog()
    assert log.left_out is None
    log.add(())
    assert log.left_out == 0
    log.add([Start((1, 1), None, 0.0, ("a",))] * 3)
    assert (len(log.kept), log.left_out) == (2, 1)


@pytest.mark.slow
def test_real_programs_of_a_jail_are_seen_with_their_times_and_its_forks_are_none() -> None:
    with agent() as one:
        root = one.look().root
        known: dict[tuple[int, int], Known] = {}

        def look() -> tuple[Start, ...]:
            nonlocal known
            clocks = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
            known, found = advance_programs(known, one.look(root), root, look_at_program, *clocks)
            return found

        before = time.time()
        assert look() == ()
        one.do("children 2")
        started = look()
        one.do("daemon")
        assert look() == ()
    assert [found.names[-1] for found in started] == ["sleep", "sleep"]
    assert {found.by for found in started} == {root}
    assert all(before - 0.1 <= found.seconds <= time.time() for found in started)


def test_a_program_at_a_path_that_the_kernel_does_not_tell_is_seen_all_the_same(
    tmp_path: Path,
) -> None:
    folder = os.open(tmp_path, os.O_PATH)
    for _ in range(18):
        os.mkdir("d" * 240, dir_fd=folder)
        folder, outer = os.open("d" * 240, os.O_PATH, dir_fd=folder), folder
        os.close(outer)
    shutil.copy("/bin/sleep", f"/proc/self/fd/{folder}/sleep")
    with subprocess.Popen(["./sleep", "60"], cwd=f"/proc/self/fd/{folder}") as process:
        try:
            with pytest.raises(OSError, match="too long"):
                Path(f"/proc/{process.pid}/exe").readlink()
            assert look_at_program(process.pid) == Program("", b"./sleep\x0060\0")
        finally:
            process.kill()
            os.close(folder)
    shutil.rmtree(tmp_path / ("d" * 240))


def test_a_process_whose_first_thread_has_ended_is_seen_with_its_program() -> None:
    rests = (
        "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(60,)).start()"
    )
    command = [sys.executable, "-I", "-S", "-c", f"{rests}; ctypes.CDLL(None).pthread_exit(None)"]
    with subprocess.Popen(command) as process:
        try:
            until(lambda: ") Z " in Path(f"/proc/{process.pid}/stat").read_text())
            assert process.pid in {one.pid for one in look_at_population(os.getpid()).processes}
            program = look_at_program(process.pid)
            assert program is not None
            assert program.path == os.path.realpath(sys.executable)
        finally:
            process.kill()
    assert process.pid not in {one.pid for one in look_at_population(os.getpid()).processes}
