"""What a jail is planned to show, to keep and to refuse, before anything is started."""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from jails import LIMITS, entering, folders, output, planned
from msgspec.structs import replace

from offswitch.errors import GuardError, PolicyError
from offswitch.guard.jail import bubblewrap
from offswitch.guard.jail.bubblewrap import host_sockets
from offswitch.guard.jail.descriptors import JailFds
from offswitch.guard.jail.host import inspect_host
from offswitch.guard.jail.launch import launch
from offswitch.guard.jail.plan import MARK, JailPlan, plan_jail
from offswitch.guard.jail.selftest import Report
from offswitch.guard.jail.settings import JailPolicy
from offswitch.guard.jail.statement import containment_statement


@contextlib.contextmanager
def planned_with(host: Any = None, **given: Any) -> Iterator[JailPlan]:
    with folders() as (workspace, run_dir):
        policy = JailPolicy(workspace=workspace, limits=LIMITS, **given.pop("policy", {}))
        yield plan_jail(policy, host or inspect_host(), ["true"], run_dir, **given)


def test_only_what_everyone_may_read_on_the_host_is_copied(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {mode: open_folder / f"{mode:o}" for mode in (0o644, 0o640, 0o600)}
    for mode, place in places.items():
        place.write_text("here\n", encoding="ascii")
        place.chmod(mode)
    monkeypatch.setattr(bubblewrap, "SYSTEM_SETTINGS", tuple(str(one) for one in places.values()))
    copied = bubblewrap.etc_files()
    assert [mode for mode, place in places.items() if str(place) in copied] == [0o644]


def test_a_folder_is_bound_to_be_written_only_where_it_is_the_workspace(open_folder: Path) -> None:
    with planned_with(policy={"read": (str(open_folder),)}, sockets={"s": "/dev/null"}) as plan:
        words = plan.bubblewrap
    writable = [words[at + 2] for at, word in enumerate(words) if word == "--bind"]
    assert writable == ["/work"]
    assert not [word for word in words if word.startswith("--dev-bind")]


SECRETS = (
    "/etc/passwd", "/etc/shadow", "/etc/ssh/ssh_host_rsa_key", "/etc/ssl/private/key.pem",
    "/etc/hostname", "/etc/machine-id", "/home/user/.ssh/id_rsa", "/root/.ssh/id_rsa",
    "/var/lib/x", "/run/docker.sock", "/srv/x", "/boot/x", "/mnt/x", "/sys/kernel", "/tmp/x",
)  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_no_folder_of_people_or_of_keys_is_shown(secret: str) -> None:
    settings = tuple(f"/etc/{name}" for name in bubblewrap.SYSTEM_SETTINGS)
    with planned(host=replace(inspect_host(), bubblewrap=None), tier=1) as plan:
        assert plan.entry.landlock is not None
        readable = plan.entry.landlock.read
    for shown in (*bubblewrap.SYSTEM, *bubblewrap.MERGED, *settings, *readable):
        assert not Path(secret).is_relative_to(shown)


def test_the_files_of_the_jails_etc_are_its_own_or_the_hosts_and_stay_as_they_are() -> None:
    host = [name for name in ("services", "ld.so.cache") if Path("/etc", name).is_file()]
    names = " ".join(f"/etc/{name}" for name in ("passwd", *host))
    change = f"for f in {names}; do chmod 666 $f; echo x >> $f; mv $f $f.old; rm -f $f; done; "
    change += "touch /etc/ld.so.preload; ls /etc/ld.so.preload; "
    with planned(("sh", "-c", f"exec 2>/dev/null; {change} sha256sum {names}")) as plan:
        text, code = output(entering(plan, landlock=None))  # the mount alone has to hold
    expected = {"/etc/passwd": b"agent:x:1000:1000:agent:/tmp/home:/bin/sh\n"}
    expected |= {f"/etc/{name}": Path("/etc", name).read_bytes() for name in host}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in expected.items()}
    assert (text, code) == ("".join(f"{one}  {name}\n" for name, one in digests.items()), 0)


def test_landlock_lets_an_agent_write_its_folders_and_devices_that_keep_nothing() -> None:
    with planned() as plan:
        rules = plan.entry.landlock
    assert rules is not None
    assert {*rules.write} == {"/work", "/tmp", "/dev/shm"}
    kept = {"null", "zero", "full", "random", "urandom", "tty", "pts", "ptmx"}
    assert {*rules.devices} == {f"/dev/{name}" for name in kept}


def test_what_builds_the_jail_and_the_agent_have_the_runs_mark_and_nothing_of_the_callers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    with planned(environment={"ASKED": "yes"}) as plan:
        assert [*plan.environment] == [MARK]
        assert plan.entry.environment[MARK] == plan.environment[MARK]
        assert "hunter2" not in plan.entry.environment.values()
        assert plan.entry.close


def test_a_statement_names_the_filter_that_is_loaded() -> None:
    said = Report(ready=True, outcomes=(), died=None, failed=None)
    for level in (1, 2):
        host = inspect_host() if level == 2 else replace(inspect_host(), bubblewrap=None)
        with planned(host=host, tier=level) as plan:
            loaded = plan.entry.filter if level == 1 else plan.data[JailFds.SECCOMP]
            assert loaded is not None
            found = containment_statement(plan, said).filter_sha256
        assert found == hashlib.sha256(loaded).hexdigest()


def test_no_module_beside_the_guard_is_loaded_before_the_jail_is_locked(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At tier 1 the entry program begins where the guard was started: in the workspace, maybe."""
    for name in ("resource", "marshal", "inside", "sitecustomize", "usercustomize"):
        (open_folder / f"{name}.py").write_text("import os; os._exit(7)")
    monkeypatch.chdir(open_folder)
    monkeypatch.setenv("PYTHONPATH", str(open_folder))
    host = replace(inspect_host(), bubblewrap=None)
    with planned(("echo", "fine"), host=host, tier=1) as plan:
        assert output(plan) == ("fine\n", 0)


def test_a_socket_is_known_by_its_real_place_whatever_its_service_called_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "var").symlink_to(tmp_path / "real")
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(str(tmp_path / "var/s"))
        service.listen()
        assert tmp_path / "real/s" in host_sockets()


def test_a_policy_that_cannot_be_planned_from_gives_no_plan() -> None:
    with pytest.raises(PolicyError, match="memory is 1"), planned(limits=replace(LIMITS, memory=1)):
        pass
    with pytest.raises(GuardError, match="asks for tier 4"), planned(tier=4):
        pass


def test_a_way_out_needs_a_network_of_its_own() -> None:
    host = replace(inspect_host(), bubblewrap=None)
    with (
        pytest.raises(GuardError, match="only in a jail of tier 2"),
        planned_with(host, policy={"tier": 1}, forward=((8080, "/run/offswitch/proxy.sock"),)),
    ):
        pass


def test_at_tier_1_what_nobody_named_cannot_be_read(open_folder: Path) -> None:
    (open_folder / "told").write_text("secret")
    host = replace(inspect_host(), bubblewrap=None)
    command = ("cat", f"{open_folder}/told")
    for read, word in ((), "Permission denied"), ((str(open_folder),), "secret"):
        with planned(command, host=host, tier=1, read=read) as plan:
            assert word in output(plan)[0]


def _start_and_wait(plan: JailPlan, tell: int) -> NoReturn:
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as an agent may, who inherits it here
        with launch(plan, None, patience_s=60.0) as jail:
            jail.start_agent(60.0)
            os.write(tell, b"%d\n" % jail.pid)
            signal.pause()
    finally:
        os._exit(1)


def test_at_tier_1_an_agent_dies_with_whoever_started_it() -> None:
    told, tell = os.pipe()
    host = replace(inspect_host(), bubblewrap=None)
    with planned(("sleep", "300"), host=host, tier=1) as plan:
        starter = os.fork()
        if starter == 0:
            _start_and_wait(replace(plan, group=None), tell)
        os.close(tell)
        with os.fdopen(told, "rb") as file:
            agent = os.pidfd_open(int(file.readline()))
        os.kill(starter, signal.SIGKILL)
        os.waitpid(starter, 0)
        ended = select.select([agent], [], [], 30.0)[0]
        if not ended:
            signal.pidfd_send_signal(agent, signal.SIGKILL)
        os.close(agent)
        assert ended
