"""The sensor process reads whatever the agent wrote, and can do nothing else."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from corpus import Place, place, put

from agents import until
from offswitch.errors import GuardError
from offswitch.guard import free_uid
from offswitch.guard.jail.inside.kernel import LIBC, checked, words
from offswitch.guard.rights import capabilities, give_up_rights
from offswitch.guard.sensors import sensor_process
from offswitch.guard.sensors.call_filter import call_filter
from offswitch.guard.sensors.process_table import look_at_program
from offswitch.guard.sensors.reports import Report, WatchOrder
from offswitch.guard.sensors.rights import drop_rights
from offswitch.guard.sensors.sensor_process import SensorProcess

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root has rights to give up")
AGENT = 4242 if ROOT else os.getuid()
OWN = capabilities()["CapPrm"]
READS = OWN & 1 << 2 or OWN & 1 << 1
"""To read everything; the root of a container may have only the right to write as well."""
TRACES = OWN & 1 << 19
PTRACE_SEIZE = 0x4206  # attaches without stopping what it is attached to


def in_a_child(act: Callable[[], Any]) -> Any:
    """What `act` gives in a process of its own, or the text of the GuardError that it raised."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = act()
        except GuardError as problem:
            said = str(problem)
        except BaseException as problem:  # noqa: BLE001 - told to the parent, which fails
            said = repr(problem)
        os.write(write, json.dumps(said).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        text = file.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def become_ordinary() -> None:
    if ROOT:
        os.setgroups([])
        os.setresgid(AGENT, AGENT, AGENT)
        os.setresuid(AGENT, AGENT, AGENT)


def status(pid: int | str) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


class Room:
    """An agent's workspace and a supervisor's folder; whoever made it is the supervisor."""

    def __init__(self, folder: Path) -> None:
        self.work, self.state, self.public = (folder / one for one in ("work", "state", "public"))
        self.parent = os.getpid()
        put(self.work / "file", "the agent's")
        put(self.state / "ledger.jsonl", "{}", 0o600)
        self.state.chmod(0o700)
        self.public.mkdir()
        self.public.chmod(0o777)
        for path in (self.work, self.work / "file"):
            os.chown(path, AGENT, AGENT)

    def ways(self) -> dict[str, Callable[[], object]]:
        """Ways to do more than read, each an OSError where it is closed; none does any harm."""
        file, ledger = self.work / "file", self.state / "ledger.jsonl"
        return {
            "write in the workspace": lambda: file.open("a"),
            "make a file in the workspace": (self.work / "new").touch,
            "remove from the workspace": file.unlink,
            "open up the workspace": lambda: self.work.chmod(0o777),
            "write the ledger": lambda: ledger.open("a"),
            "cut the ledger": lambda: os.truncate(ledger, 0),
            "move the ledger": lambda: ledger.rename(self.state / "other"),
            "give the state folder away": lambda: os.chown(self.state, AGENT, AGENT),
            "signal the supervisor": lambda: os.kill(self.parent, signal.SIGURG),
            "trace the supervisor": lambda: checked(
                LIBC.ptrace(PTRACE_SEIZE, self.parent, None, None)
            ),
            "write the supervisor's memory": lambda: os.open(f"/proc/{self.parent}/mem", os.O_RDWR),
            "be root again": lambda: os.setresuid(0, 0, 0),
            "have rights again": lambda: checked(
                LIBC.capset(words(0x20080522, 0, size=4), words(*(_ALL * 2), size=4))
            ),
        }

    def ways_of_everybody(self) -> dict[str, Callable[[], object]]:
        """Ways that need no right at all."""
        return {
            "write where everybody may": (self.public / "new").touch,
            "start a program": lambda: os.execv("/bin/true", ["true"]),
            "start a process": lambda: os.fork() or os._exit(0),
            "open a connection": socket.socket,
            "signal itself": lambda: os.kill(os.getpid(), signal.SIGURG),
            "have a pipe signal": lambda: fcntl.fcntl(1, fcntl.F_SETOWN, os.getpid()),
        }


_ALL = (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)


def open_ways(ways: dict[str, Callable[[], object]]) -> list[str]:
    found = []
    for name, way in ways.items():
        try:
            way()
        except OSError:
            continue
        found.append(name)
    return found


@pytest.fixture
def at(tmp_path: Path) -> Place:
    return place(tmp_path)


@pytest.fixture
def room(open_folder: Path) -> Room:
    return Room(open_folder)


@pytest.fixture
def looking(at: Place) -> Iterator[SensorProcess]:
    if ROOT:
        os.chown(at.work, AGENT, AGENT)
        at.work.chmod(0o700)
    order = WatchOrder(tree=at.settings, every_s=0.05)
    with SensorProcess(order, others=(AGENT,)) as process:
        yield process


@pytest.mark.slow
def test_the_sensor_process_of_a_root_run_has_two_capabilities_and_no_more(
    looking: SensorProcess,
) -> None:
    found = status(looking._process.pid)
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
    uids = {int(uid) for name in ("Uid", "Gid") for uid in found[name].split()}
    if not ROOT:
        assert int(found["Uid"].split()[0]) == os.getuid()
        return
    (uid,) = uids
    assert uid not in (0, AGENT)
    assert not free_uid.has_account(uid)
    assert found["Groups"] == ""
    assert int(found["CapPrm"], 16) == int(found["CapEff"], 16) == READS | TRACES
    assert {int(found[name], 16) for name in ("CapBnd", "CapInh", "CapAmb")} == {0}


@needs_root
@pytest.mark.slow
def test_a_copy_in_an_archive_in_a_closed_folder_of_a_closed_workspace_is_seen(
    at: Place, looking: SensorProcess
) -> None:
    hidden = at.work / "closed" / "copy.gz"
    put(hidden, gzip.compress(at.whole), 0)
    for path in (hidden, hidden.parent):
        os.chown(path, AGENT, AGENT)
    hidden.parent.chmod(0)
    found: list[Report] = []

    def has_seen() -> bool:
        found.extend(looking.reports())
        return any(one.detector == "self-copy" for look in found for one in look.findings)

    until(has_seen)
    assert {look.unseen for look in found} == {0}


@needs_root
def test_the_program_of_a_process_of_another_user_is_seen_only_with_the_filter() -> None:
    uid, other = free_uid.free_uid(), os.getpid()
    runs = str(Path("/proc/self/exe").readlink())

    def look(calls: bytes) -> list[str]:
        drop_rights(uid, calls)
        program = look_at_program(other)
        assert program is not None
        return [program.path, status("self")["CapEff"]]

    seen = runs if TRACES else ""
    assert in_a_child(lambda: look(call_filter())) == [seen, f"{READS | TRACES:016x}"]
    # Without a filter tracing is control over every process, and the right to write is its use.
    assert in_a_child(lambda: look(b"")) == ["", f"{OWN & 1 << 2:016x}"]


def test_it_can_neither_write_nor_signal_nor_start_nor_connect_anything(room: Room) -> None:
    """Root's by its user, its rights and the filter; an ordinary user's by the filter alone."""

    def tried(uid: int | None) -> list[str]:
        if uid is None:
            become_ordinary()
        drop_rights(uid, call_filter())
        return open_ways({**room.ways(), **room.ways_of_everybody()})

    assert in_a_child(lambda: tried(None)) == []
    if ROOT:
        assert in_a_child(lambda: tried(free_uid.free_uid((AGENT,)))) == []
    assert (room.work / "file").read_text() == "the agent's"


@needs_root
def test_its_user_and_rights_alone_keep_it_from_workspace_ledger_and_supervisor(
    room: Room,
) -> None:
    def tried() -> list[str]:
        drop_rights(free_uid.free_uid((AGENT,)), b"")
        return open_ways(room.ways())

    assert in_a_child(tried) == []


@needs_root
def test_all_these_ways_are_open_to_a_sensor_process_that_kept_its_rights(room: Room) -> None:
    ways = {**room.ways(), **room.ways_of_everybody()}
    del ways["start a program"], ways["have rights again"]  # it would not come back; not needed
    open_to_root = in_a_child(lambda: open_ways(ways))
    assert sorted(open_to_root) == sorted(ways)


def test_a_user_whom_the_kernel_refuses_is_said_with_what_to_do() -> None:
    def tried() -> None:
        become_ordinary()
        give_up_rights(AGENT + 1)

    said = in_a_child(tried)
    assert said.startswith(f"it may not become user {AGENT + 1}: Operation not permitted. A root")
    assert "SETUID, SETGID and SETPCAP" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("call_filter", lambda: b"\0" * 8, "cannot load its system-call filter"),
        # The kernel takes this number for "no change".
        pytest.param("free_uid", lambda _: 2**32 - 1, "it is user 0, expected", marks=needs_root),
    ],
    ids=["filter", "user"],
)
def test_sensors_that_cannot_give_up_their_rights_do_not_start(
    at: Place, monkeypatch: pytest.MonkeyPatch, name: str, given: Callable[..., Any], told: str
) -> None:
    monkeypatch.setattr(sensor_process, name, given)
    with pytest.raises(GuardError, match=told), SensorProcess(WatchOrder(tree=at.settings)):
        pass


def test_a_free_user_is_none_of_those_named() -> None:
    first, count = free_uid._FIRST, free_uid._COUNT
    every = set(range(first, first + count))
    assert free_uid.free_uid(every - {first + 7}) == first + 7
    with pytest.raises(GuardError, match=r"no user id from 61184 to 65519 .* ordinary user"):
        free_uid.free_uid(every)


@needs_root
def test_the_user_of_a_process_that_gave_up_its_rights_is_not_free() -> None:
    uid = free_uid.free_uid()
    others = set(range(free_uid._FIRST, free_uid._FIRST + free_uid._COUNT)) - {uid}
    begun, begun_in = os.pipe()
    end, end_in = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(end_in)
            give_up_rights(uid)
            os.write(begun_in, b"x")
            os.read(end, 1)
        finally:
            os._exit(0)
    os.close(begun_in)
    try:
        assert os.read(begun, 1) == b"x"
        with pytest.raises(GuardError, match="no user id"):
            free_uid.free_uid(others)
    finally:
        for fd in (begun, end, end_in):
            os.close(fd)
        os.waitpid(pid, 0)


def test_the_root_of_a_namespace_that_knows_nobody_else_stays_who_it_is():
    def made_root() -> int | None:
        become_ordinary()
        LIBC.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: else its own map may not be written
        own = os.getuid()
        checked(LIBC.unshare(0x10000000))  # CLONE_NEWUSER
        Path("/proc/self/uid_map").write_text(f"0 {own} 1")
        assert os.geteuid() == 0
        return sensor_process._with_rights(WatchOrder(), ()).uid

    assert in_a_child(made_root) is None
