from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jails import LIMITS, as_ordinary, entering, folders, output, planned
from msgspec.structs import replace

from offswitch.errors import GuardError
from offswitch.guard.jail import inside
from offswitch.guard.jail.bubblewrap import host_sockets
from offswitch.guard.jail.cgroups import run_group
from offswitch.guard.jail.host import inspect_host
from offswitch.guard.jail.inside import entry
from offswitch.guard.jail.inside.outcome import report_line
from offswitch.guard.jail.launch import launch
from offswitch.guard.jail.plan import plan_jail
from offswitch.guard.jail.settings import JailPolicy


def test_the_agent_gets_its_environment_folder_limits_and_nothing_else(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    show = "env; pwd; id -un; hostname; ls /; ls /proc/self/fd; cat /proc/1/cmdline; ulimit -Sn"
    with planned(("sh", "-c", show), environment={"ASKED": "yes"}) as plan:
        text, code = output(plan)
        workspace = plan.policy.workspace
    assert code == 0
    assert {"ASKED=yes", "HOME=/tmp/home", "/work", "agent", "jail"} <= set(text.splitlines())
    assert "hunter2" not in text
    assert workspace not in text
    assert text.splitlines()[-1].endswith(str(LIMITS.open_files))


def test_the_agent_writes_its_workspace_and_no_other_place():
    tried = (
        "echo a >/work/a; for p in / /usr /etc /dev /var/tmp /run /work/..; do echo b >$p/b; done"
    )
    with planned(("sh", "-c", f"{tried}; echo c >/tmp/c && echo d >/dev/shm/d && ls /tmp")) as plan:
        text, _ = output(plan)
        kept = sorted(path.name for path in Path(plan.policy.workspace).iterdir())
    assert kept == ["a"]
    assert text.count("cannot create") == 7
    assert text.endswith("c\nhome\n")


def test_a_server_inside_listens_only_on_ports_the_policy_names():
    program = (
        "import socket\n"
        "for port in (8080, 8081):\n"
        "    try: socket.create_server(('127.0.0.1', port)); print(port)\n"
        "    except OSError as e: print(e.errno)\n"
    )
    with planned(("/usr/bin/python3", "-c", program), tcp_ports=(8080,)) as plan:
        assert output(plan)[0].split() == ["8080", "13"]


def test_a_service_of_the_host_is_not_reached_through_a_folder_the_agent_may_read(open_folder):
    """A read-only mount does not keep anybody from connecting to a socket in it."""
    program = (
        "import socket, sys\n"
        "for path in sys.argv[1:]:\n"
        "    try: socket.socket(socket.AF_UNIX).connect(path); print('reached')\n"
        "    except OSError as e: print(e.errno)\n"
    )
    (open_folder / "link").symlink_to(open_folder, target_is_directory=True)
    given = str(open_folder / "link")
    command = ("/usr/bin/python3", "-c", program, f"{given}/service", "/work/service")
    with socket.socket(socket.AF_UNIX) as service, socket.socket(socket.AF_UNIX) as own:
        service.bind(str(open_folder / "service"))
        (open_folder / "service").chmod(0o666)
        service.listen()
        with folders() as (workspace, run_dir):
            own.bind(f"{workspace}/service")
            Path(workspace, "service").chmod(0o666)
            own.listen()
            asked = JailPolicy(workspace=workspace, read=(given,), limits=LIMITS)
            text, code = output(plan_jail(asked, inspect_host(), command, run_dir))
    assert (text.split(), code) == ([str(errno.ECONNREFUSED)] * 2, 0)


@pytest.mark.skipif(os.getuid() != 0, reason="nothing of one's own is closed to oneself")
def test_a_socket_in_a_folder_that_is_closed_to_the_user_stops_no_start(tmp_path):
    tmp_path.chmod(0o700)
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(path := str(tmp_path / "s"))
        service.listen()
        assert Path(path) in host_sockets()
        assert path not in as_ordinary(lambda: [str(one) for one in host_sockets()], list[str])


@pytest.mark.parametrize("command", [(), ("",), ("", "x")])
def test_no_program_is_a_mistake_and_no_agent(command):
    with pytest.raises(GuardError, match="no command"), planned(command):
        pass


def test_without_leave_no_agent_starts():
    with planned(("touch", "/work/started")) as plan:
        with run_group(plan.group), launch(plan, None) as jail:
            assert jail.report.ready
            os.write(jail.go, b"x")
            assert os.waitstatus_to_exitcode(os.waitpid(jail.pid, 0)[1]) == 125
        assert not Path(plan.policy.workspace, "started").exists()


def test_a_command_that_is_not_there_is_named_with_a_remedy():
    with (
        planned(("no-such-program",)) as plan,
        run_group(plan.group),
        launch(plan, None) as jail,
        pytest.raises(GuardError, match=r"ENOENT.*jail.read"),
    ):
        jail.start_agent()


def test_a_step_that_fails_is_reported_and_no_agent_starts():
    with planned() as plan, run_group(plan.group):
        broken = entering(plan, limits={"NOFILE": -5})
        with launch(broken, None) as jail:
            assert not jail.report.ready
            assert jail.report.failed is not None or jail.report.outcomes == ()


def test_the_end_of_the_supervisors_block_ends_everything_inside():
    with planned(("sleep", "60")) as plan, run_group(plan.group):
        with launch(plan, None) as jail:
            jail.start_agent()
            assert jail.init is not None
            assert Path(f"/proc/{jail.init}").exists()
        end = time.monotonic() + 30
        while Path(f"/proc/{jail.init}").exists() and time.monotonic() < end:
            os.sched_yield()
        assert not Path(f"/proc/{jail.init}").exists()


def test_the_entry_program_needs_its_own_folder_and_little_of_the_standard_library():
    folder = Path(inside.__path__[0]).parent
    program = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); import inside.entry; "
        "print(*sorted(sys.modules))"
    )
    ran = [sys.executable, "-I", "-S", "-c", program]
    loaded = set(subprocess.run(ran, capture_output=True, text=True, check=True).stdout.split())
    assert "inside.probes.resources" in loaded
    assert not loaded & {
        "json",
        "re",
        "socket",
        "typing",
        "pathlib",
        "enum",
        "ctypes",
        "os",
        "offswitch",
        "msgspec",
    }


def test_an_entry_program_whose_listener_has_gone_ends_and_says_nothing():
    folder = Path(inside.__path__[0]).parent
    program = (
        f"import os, sys; sys.path.insert(0, {str(folder)!r}); from inside import entry; "
        "read, write = os.pipe(); os.close(read); entry._report({'report': write}, {'ready': 1})"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (entry.REFUSED, b"")


def test_what_stands_open_to_the_plan_stays_open_only_until_the_agent():
    with planned(("ls", "/proc/self/fd")) as plan:
        text, _ = output(replace(plan, group=None))
    assert text.split() == ["0", "1", "2", "3"]  # 3 is the listing's own


@pytest.mark.parametrize(
    "text", ["plain", "", 'a "quoted" \\ path', "line\nand\ttab", "\x00\x7f", "é, ü", "x" * 400]
)
def test_a_line_of_a_report_is_json_that_holds_what_was_said(text):
    line = report_line({"probe": text, "ready": 7})
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"probe": text[:300], "ready": 7}


def test_what_fits_into_no_line_of_a_report_is_replaced():
    assert json.loads(report_line({"detail": "a\ud800\U0001f600b"})) == {"detail": "a??b"}
