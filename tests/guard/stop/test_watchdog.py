from __future__ import annotations

import itertools
import json
import os
import secrets
import signal
import sys
import time
from pathlib import Path

import pytest
from trees import PYTHON, hostile, in_namespace, jail, wait_until
from watched import PATIENCE_S, PROGRAM, Watched, watched

from offswitch.guard.stop import wire
from offswitch.guard.stop.launch import LaunchOrder, order_fields
from offswitch.guard.stop.pidfd import has_ended, wait_ended
from offswitch.guard.stop.processes import read_process
from offswitch.guard.stop.stopped import STOPPED

CALM = hostile("calm", 0)


def order(*command: str, see: Path | None = None) -> LaunchOrder:
    mark = f"OFFSWITCH_TEST={secrets.token_hex(8)}"
    argv = jail(9, *command) if see is None else jail(9, *command, see=str(see))
    return LaunchOrder(
        tuple(argv),
        {"PATH": "/usr/bin:/bin", **dict([mark.split("=")])},
        info_fd=9,
        marks=(mark,),
    )


def launched(one: Watched, *command: str, see: Path | None = None) -> tuple[int, int]:
    """The init's pidfd and the pid namespace of a jailed tree that is alive."""
    message = one.launch(order(*(command or CALM), see=see))
    namespace = message.fields["pid_namespace"]
    wait_until(lambda: in_namespace(namespace) >= 2)
    return message.fds[1], namespace


def killed(one: Watched, init: int, namespace: int) -> str:
    """Why the watchdog killed; the tree is dead and the watchdog has proven it."""
    fields = one.said("killed").fields
    assert fields["kill"]["verified"]
    assert has_ended(init)
    assert in_namespace(namespace) == 0
    assert one.process.wait(PATIENCE_S) == 0
    assert json.loads((one.folder / STOPPED).read_text())["reason"] == fields["reason"]
    return str(fields["reason"])


@pytest.mark.slow
def test_the_watchdog_imports_the_standard_library_and_its_own_folder_alone(
    tmp_path: Path,
) -> None:
    with watched(tmp_path, "-X", "importtime") as one:
        one.socket.close()
        assert one.process.wait(PATIENCE_S) == 0
        assert one.process.stderr is not None
        told = one.process.stderr.read().decode()
    lines = [line for line in told.splitlines() if line.startswith("import time:")]
    names = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines[1:]}
    assert "offswitch_stop" in names
    # encodings.* and site machinery show under their own names, all of the standard library.
    assert names - set(sys.stdlib_module_names) == {"offswitch_stop"}


@pytest.mark.slow
def test_a_stuck_counter_from_a_live_thread_is_a_dead_supervisor(tmp_path: Path) -> None:
    with watched(tmp_path, timeout_s=1.0) as one:
        with one.beating():
            init, namespace = launched(one)
        begun = time.monotonic()
        one.beat()
        with one.beating(counter=one.counter):
            assert "supervisor hung: no heartbeat" in killed(one, init, namespace)
            assert 1.0 <= time.monotonic() - begun < PATIENCE_S


@pytest.mark.slow
def test_a_ledger_that_stands_still_is_a_dead_supervisor(tmp_path: Path) -> None:
    with watched(tmp_path, head_timeout_s=0.5) as one:
        with one.beating():
            init, namespace = launched(one)
        with one.beating(head="aa", pending=2):
            assert "2 records waiting" in killed(one, init, namespace)


@pytest.mark.slow
@pytest.mark.parametrize(
    "message", [b"\0", b"[1]", b'{"type": "hush"}', b'{"type": "beat", "counter": "7"}', b"{}"]
)
def test_a_message_it_does_not_understand_kills(tmp_path: Path, message: bytes) -> None:
    with watched(tmp_path) as one:
        with one.beating():
            init, namespace = launched(one)
        one.socket.send(message)
        assert "supervisor sent" in killed(one, init, namespace)


@pytest.mark.slow
def test_the_end_of_the_lease_kills_and_only_an_operator_prolongs_it(tmp_path: Path) -> None:
    with watched(tmp_path, lease_s=60.0) as one, one.beating():
        init, namespace = launched(one)
        assert 60 < one.asked({"request": "renew", "seconds": 70})["lease_s"] <= 70
        for wrong in (-1, 0, 1e9, True, "1", None):
            assert not one.asked({"request": "renew", "seconds": wrong})["ok"]
        begun = time.monotonic()
        assert one.asked({"request": "renew", "seconds": 0.5})["lease_s"] <= 0.5
        assert killed(one, init, namespace) == "lease ended"
        assert 0.5 <= time.monotonic() - begun < PATIENCE_S


@pytest.mark.slow
def test_a_watchdog_that_stood_still_itself_does_not_take_that_for_silence(tmp_path: Path) -> None:
    with watched(tmp_path, timeout_s=1.0) as one:
        with one.beating():
            _, namespace = launched(one)
        one.process.send_signal(signal.SIGSTOP)  # as on a machine that was put to sleep
        time.sleep(1.3)
        one.process.send_signal(signal.SIGCONT)
        for _ in range(2):  # the second answer comes when the first round has been judged
            assert one.asked({"request": "status"})["reason"] == ""
        with one.beating():
            assert in_namespace(namespace) >= 2


@pytest.mark.slow
def test_the_operator_stops_through_the_watchdogs_own_socket(tmp_path: Path) -> None:
    with watched(tmp_path) as one:
        init, namespace = launched(one)
        assert one.asked({"request": "status"})["ok"]
        assert in_namespace(namespace) >= 2
        assert one.asked({"request": "stop"})["kill"]["verified"]
        assert killed(one, init, namespace) == "operator"


@pytest.mark.slow
def test_an_agent_that_reaches_the_socket_gets_no_answer_and_moves_nothing(tmp_path: Path) -> None:
    program = (
        "import socket,sys,os\n"
        "s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET); s.settimeout(30)\n"
        "s.connect(sys.argv[1])\n"
        "try: s.send(b'{\\x22request\\x22: \\x22stop\\x22}'); answer=s.recv(99)\n"
        "except OSError: answer=b''\n"
        "open(sys.argv[2],'w').write('answer '+repr(answer))\n"
        "import time; time.sleep(60)\n"
    )
    with watched(tmp_path) as one, one.beating():
        sock, answer = str(tmp_path / "watchdog.sock"), tmp_path / "answer"
        command = (PYTHON, "-I", "-S", "-c", program, sock, str(answer))
        _, namespace = launched(one, *command, see=tmp_path)
        wait_until(lambda: answer.exists() and answer.read_text())
        assert answer.read_text() == "answer b''"
        assert one.asked({"request": "status"})["reason"] == ""
        assert in_namespace(namespace) >= 2


@pytest.mark.slow
def test_a_spawner_that_dies_takes_the_tree_along_and_the_watchdog_says_so(tmp_path: Path) -> None:
    with watched(tmp_path) as one, one.beating():
        init, namespace = launched(one)
        os.kill(one.hello["spawner"], signal.SIGKILL)
        assert killed(one, init, namespace) == "spawner died"


@pytest.mark.slow
def test_a_watchdog_that_is_killed_takes_the_tree_along_by_the_kernel_alone(
    tmp_path: Path,
) -> None:
    with watched(tmp_path) as one, one.beating():
        init, namespace = launched(one, *hostile("daemons", 20))
        wait_until(lambda: in_namespace(namespace) >= 21)
        # Stopped, so that it cannot act on the end of the file either.
        os.kill(one.hello["spawner"], signal.SIGSTOP)
        one.process.kill()
        assert wait_ended(init, PATIENCE_S)
        assert in_namespace(namespace) == 0


@pytest.mark.slow
def test_the_supervisors_death_before_the_launch_is_answered_leaves_nothing(
    tmp_path: Path,
) -> None:
    with watched(tmp_path) as one:
        told = order(*CALM)
        wire.send(one.socket, {"type": "launch", "order": order_fields(told)})
        one.socket.close()
        assert one.process.wait(PATIENCE_S) == 0
        marked = [path for path in Path("/proc").glob("[0-9]*") if _marked(path, told.marks[0])]
        assert marked == []
        assert json.loads((tmp_path / STOPPED).read_text())["reason"] == "supervisor died"


BLUNT = """
import os.path, sys
from importlib import import_module
package = type(sys)("offswitch_stop")
package.__path__ = [{folder!r}]
sys.modules["offswitch_stop"] = package
kill, watchdog = (import_module("offswitch_stop." + name) for name in ("kill", "watchdog"))
def blunted(shoot):
    return lambda found: shoot(found) if os.path.exists({sharp!r}) else None
watchdog.KILL_TRY_S = 0.1
watchdog.kill_all = kill.kill_all = blunted(kill.kill_all)
kill.kill_strays = blunted(kill.kill_strays)
sys.exit(watchdog.main(sys.argv[1]))
"""
"""A watchdog whose every shot misses until the file `sharp` is there."""


@pytest.mark.slow
def test_a_watchdog_whose_kill_does_not_reach_the_tree_says_so_and_goes_on_until_it_does(
    tmp_path: Path,
) -> None:
    program, sharp = tmp_path / "blunt.py", tmp_path / "sharp"
    program.write_text(BLUNT.format(folder=str(PROGRAM.parent), sharp=str(sharp)))
    with watched(tmp_path, program=program) as one:
        with one.beating():
            init, namespace = launched(one)
        wire.send(one.socket, {"type": "stop", "reason": "a test"})
        for _ in range(3):
            kill = one.said("killed").fields["kill"]
            assert not kill["verified"]
            assert kill["survivors"]
        noted = json.loads((tmp_path / STOPPED).read_text())["kill"]
        assert (noted["verified"], noted["survivors"]) == (False, kill["survivors"])
        assert one.process.poll() is None
        assert in_namespace(namespace) >= 2
        sharp.touch()
        while not (last := one.said("killed").fields["kill"])["verified"]:
            pass
        assert last["survivors"] == []
        assert one.process.wait(10.0) == 0
        assert has_ended(init)
        assert json.loads((tmp_path / STOPPED).read_text())["kill"]["verified"]
        assert one.process.stderr is not None
        lines = one.process.stderr.read().decode().splitlines()
        assert "NOT PROVEN DEAD: processes " in lines[0]
        # Once, not once a round, until others are left.
        assert all(line != other for line, other in itertools.pairwise(lines))


@pytest.mark.slow
def test_an_end_that_nothing_can_prove_is_an_exit_code_a_line_and_a_note(tmp_path: Path) -> None:
    with watched(tmp_path) as one:
        with one.beating():
            plain = LaunchOrder((PYTHON, "-I", "-S", "-c", "import time; time.sleep(60)"), {})
            outer = one.launch(plain).fds[0]
        wire.send(one.socket, {"type": "stop", "reason": "a test"})
        kill = one.said("killed").fields["kill"]
        assert (kill["verified"], kill["survivors"]) == (False, [])
        assert has_ended(outer)
        assert one.process.wait(10.0) == 1
        assert json.loads((tmp_path / STOPPED).read_text())["kill"]["verified"] is False
        assert one.process.stderr is not None
        assert b"NOT PROVEN DEAD: none is found alive" in one.process.stderr.read()


@pytest.mark.slow
def test_a_watchdog_that_never_started_anything_has_nothing_to_prove(tmp_path: Path) -> None:
    with watched(tmp_path) as one:
        wire.send(one.socket, {"type": "stop", "reason": "a test"})
        assert one.said("killed").fields["kill"]["survivors"] == []
        assert one.process.wait(10.0) == 0
        assert one.process.stderr is not None
        assert one.process.stderr.read() == b""


def _marked(path: Path, mark: str) -> bool:
    try:
        return mark.encode() in (path / "environ").read_bytes()
    except OSError:
        return False


@pytest.mark.slow
def test_the_agent_gets_the_descriptors_environment_and_limits_it_is_given_and_no_more(
    tmp_path: Path,
) -> None:
    program = (
        "import os,json,resource as r,sys,time\n"
        "fds={int(n):os.readlink('/proc/self/fd/'+n) for n in os.listdir('/proc/self/fd')"
        " if os.path.exists('/proc/self/fd/'+n)}\n"
        "told={'fds':fds,'env':dict(os.environ),'files':r.getrlimit(r.RLIMIT_NOFILE),"
        "'dead':open('/proc/self/status').read(),'oom':open('/proc/self/oom_score_adj').read(),"
        "'pipe':signal.getsignal(13)==signal.SIG_DFL if 'signal' in dir() else None,"
        "'sid':os.getsid(0)==os.getpid(),'cwd':os.getcwd()}\n"
        "os.write(1,json.dumps(told).encode()); os.close(1); time.sleep(60)\n"
    )
    read_end, write_end = os.pipe()
    with watched(tmp_path) as one, one.beating():
        plain = LaunchOrder(
            (PYTHON, "-I", "-S", "-c", program),
            {"A": "b"},
            cwd="/usr",
            fds={1: write_end, 7: write_end},
            rlimits={"RLIMIT_NOFILE": (64, 64)},
        )
        one.launch(plain)
        os.close(write_end)
        told = json.loads(os.read(read_end, 1 << 16))
        os.close(read_end)
    assert set(told["fds"]) == {"0", "1", "2", "7"}
    assert told["fds"]["0"] == told["fds"]["2"] == os.devnull
    assert told["env"].items() >= {"A": "b"}.items()
    assert set(told["env"]) <= {"A", "LC_CTYPE"}
    assert told["files"] == [64, 64]
    assert told["oom"].strip() == "500"
    assert told["sid"]
    assert told["cwd"] == "/usr"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (("/nowhere/program",), "FileNotFoundError"),
        (("/usr/bin/env", "true"), "did not start|child-pid"),
    ],
)
def test_a_program_that_does_not_start_is_told_as_a_problem(
    tmp_path: Path, argv: tuple[str, ...], problem: str
) -> None:
    with watched(tmp_path) as one, one.beating():
        wire.send(
            one.socket,
            {"type": "launch", "order": order_fields(order()._replace(argv=argv))},
        )
        told = one.said("failed").fields["problem"]
        assert any(part in told for part in problem.split("|")), told


@pytest.mark.slow
def test_the_watchdog_is_out_of_reach_and_says_which_protections_it_got(tmp_path: Path) -> None:
    with watched(tmp_path) as one, one.beating():
        pid = one.process.pid
        assert os.getsid(pid) == pid != os.getsid(0)
        hardened = one.hello["hardened"]
        assert hardened["session"]
        assert hardened["dumpable"]
        assert hardened["subreaper"]
        # Nobody's but root's: that is how a process that is not dumpable shows.
        assert Path(f"/proc/{pid}/environ").stat().st_uid == 0
        assert set(hardened) == {
            "session", "oom", "dumpable", "locked", "realtime", "subreaper",
        }  # fmt: skip
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        assert len(threads) == 1
        spawner = read_process(one.hello["spawner"])
        assert spawner is not None
        assert spawner.parent == pid
        assert len(list(Path(f"/proc/{spawner.pid}/task").iterdir())) == 1
