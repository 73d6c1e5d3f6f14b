"""What a jail is planned to show, to keep and to refuse, before anything is started."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from jails import LIMITS, folders, output, planned
from msgspec.structs import replace

from offswitch.errors import GuardError, PolicyError
from offswitch.guard.jail import bubblewrap
from offswitch.guard.jail.bubblewrap import host_sockets
from offswitch.guard.jail.host import inspect_host
from offswitch.guard.jail.launch import launch
from offswitch.guard.jail.plan import JailPlan, plan_jail
from offswitch.guard.jail.settings import JailPolicy


@contextlib.contextmanager
def planned_with(host: Any = None, **given: Any) -> Iterator[JailPlan]:
    with folders() as (workspace, run_dir):
        policy = JailPolicy(workspace=workspace, limits=LIMITS, **given.pop("policy", {}))
        yield plan_jail(policy, host or inspect_host(), ["true"], run_dir, **given)


def test_a_folder_is_bound_to_be_written_only_where_it_is_the_workspace(open_folder: Path) -> None:
    with planned_with(policy={"read": (str(open_folder),)}, sockets={"s": "/dev/null"}) as plan:
        words = plan.bubblewrap
    writable = [words[at + 2] for at, word in enumerate(words) if word == "--bind"]
    assert writable == ["/work"]
    assert not [word for word in words if word.startswith("--dev-bind")]


@pytest.mark.parametrize(
    "secret",
    ["/etc/passwd", "/etc/shadow", "/etc/ssh/ssh_host_rsa_key", "/etc/ssl/private/key.pem",
     "/etc/hostname", "/etc/machine-id", "/home/user/.ssh/id_rsa", "/root/.ssh/id_rsa",
     "/var/lib/x", "/run/docker.sock", "/srv/x", "/boot/x", "/mnt/x", "/sys/kernel"],
)  # fmt: skip
def test_no_folder_of_people_or_of_keys_is_shown(secret: str) -> None:
    settings = tuple(f"/etc/{name}" for name in bubblewrap.SYSTEM_SETTINGS)
    for shown in (*bubblewrap.SYSTEM, *bubblewrap.MERGED, *settings):
        assert not Path(secret).is_relative_to(shown)


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
