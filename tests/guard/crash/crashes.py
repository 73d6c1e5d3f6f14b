"""One guarded run, one part of its guard killed at some moment, and what is found afterwards.

The agent is found by a token of its own environment and by handles taken before the kill, none of
it by the code under test. It asks a model again and again and writes down every answer it got: by
then the act behind the answer must be in the ledger.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "real"))

from provider import Provider, Turn, provider

from offswitch.errors import LedgerError
from offswitch.guard.aftermath import aftermath_text, look_back, tell_of_the_dead
from offswitch.guard.ledger.anchor import read_anchor
from offswitch.guard.ledger.reading import read_records
from offswitch.guard.ledger.verify import Verified, verify_ledger
from offswitch.guard.supervisor.runs import BEGUN, Run, list_runs, read_state

PARTS = ("supervisor", "watchdog", "spawner", "proxy", "sensors")
LATEST_S = 2.0
"""A tree alive so long after the kill is a failure, however busy the machine."""
DAEMONS = 4
OTHER = 4242
SOURCES = Path(__file__).parents[3] / "src"

AGENT = (
    f"DAEMONS = {DAEMONS}\n"
    + """
import http.client, json, os, signal, socket, time, urllib.parse
for _ in range(DAEMONS):
    if not os.fork():
        os.setsid()
        if os.fork(): os._exit(0)
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        time.sleep(300)
        os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
base = urllib.parse.urlsplit(os.environ["OPENAI_BASE_URL"])
way = http.client.HTTPConnection(base.netloc)
way.connect()
way.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
acked = open("acked", "a", buffering=1)
open("up", "w").close()
for number in range(1_000_000):
    asked = {"model": "m", "messages": [{"role": "user", "content": str(number)}]}
    try:
        way.request("POST", base.path + "/chat/completions", json.dumps(asked),
                    {"Content-Type": "application/json"})
        answer = json.loads(way.getresponse().read())
        call = answer["choices"][0]["message"]["tool_calls"][0]["function"]
        acked.write(json.loads(call["arguments"])["id"] + "\\n")
    except Exception:
        time.sleep(0.01)
"""
)
POLICY = """
version: 1
name: crash
jail: {{tier: 2, environment: {{CRASH_TOKEN: "{token}"}}, limits: {{wall: 300s}}}}
watchdog: {{heartbeat: 50ms, timeout: {timeout}}}
shutdown: {{notice: 100ms, grace: 100ms, deadline: 10s}}
rules: [{{name: read, tool: "read_*", verdict: approve}}]
models: [{{name: main, kind: openai, upstream: "{upstream}"}}]
ledger: {{sign_every: 20}}
"""


@dataclass
class Crash:
    """One trial."""

    part: str
    running: bool
    """Whether the agent was running; otherwise the guard was starting."""
    alive: int = 0
    """Processes of the agent that lived just before the kill."""
    seconds: float = 0.0
    """From the kill until every process of the jail was gone."""
    acked: int = 0
    """Answers that the agent had."""
    records: int | None = None
    """Records of the ledger; None where none was opened."""
    told: str = ""
    """What is said of the run afterwards."""
    problems: list[str] = field(default_factory=list)


class _Echo(list[Turn]):
    """Turns without end: the model proposes to read what it was asked about."""

    def __init__(self, server: Provider) -> None:
        super().__init__()
        self._server = server

    def pop(self, _: Any = 0) -> Turn:
        asked = self._server.asked[-1].body["messages"][0]["content"]
        del self._server.asked[:-10]
        return Turn("", (("read_note", {"id": asked}),))


@contextlib.contextmanager
def echo() -> Iterator[str]:
    """The address of a provider that never runs out."""
    with provider() as server:
        server.turns = _Echo(server)
        yield server.url


def crash(
    room: Path,
    upstream: str,
    part: str,
    *,
    running: bool,
    delay_s: float,
    timeout: str = "250ms",
    latest_s: float = LATEST_S,
) -> Crash:
    """Start a run in the new folder `room`, kill `part` after `delay_s`, and look at the rest."""
    trial, token = Crash(part, running), secrets.token_hex(8)
    memory = _memory()
    front = _started(room, upstream, token, timeout)
    handles: dict[int, int] = {}
    try:
        victim = _victim(trial, room, front, token, delay_s)
        if victim is not None:
            handles = _handles(front.pid)
            trial.alive = len(_living(token))
            jailed = _jailed(front.pid, handles)
            begun = time.monotonic()
            signal.pidfd_send_signal(handles[victim], signal.SIGKILL)
            _await_death(trial, token, jailed, begun, latest_s)
            _await_guards(trial, front, handles)
            if any(maker == front.pid for _, maker in _memory() - memory):
                trial.problems.append("memory that the supervisor shared outlives it")
            _look(trial, room, front)
    finally:
        for pidfd in handles.values():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)
        front.kill()
        front.wait()
        for pid in _living(token):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return trial


def seconds_to_start(room: Path, upstream: str) -> float:
    """How long it takes until the agent works."""
    token, begun = secrets.token_hex(8), time.monotonic()
    front = _started(room, upstream, token, "1s")
    try:
        _wait_until(lambda: _works(room), 30.0)
        return time.monotonic() - begun
    finally:
        front.terminate()
        front.wait()


def _started(room: Path, upstream: str, token: str, timeout: str) -> subprocess.Popen[bytes]:
    work = room / "work"
    work.mkdir(parents=True)
    room.chmod(0o755)
    (work / "agent.py").write_text(AGENT)
    if os.geteuid() == 0:
        for path in (work, work / "agent.py"):
            os.chown(path, OTHER, OTHER)
    text = POLICY.format(token=token, upstream=upstream, timeout=timeout)
    (room / "policy.yaml").write_text(text)
    command = [sys.executable, "-c", "from offswitch.cli import main; main()", "guard", "run"]
    command += ["--policy", "policy.yaml", "--name", "it", "--quiet", "--", "python3", "agent.py"]
    with (room / "output").open("wb") as output:
        return subprocess.Popen(
            command, cwd=room, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "HOME": str(room), "PYTHONPATH": str(SOURCES),
                 "XDG_STATE_HOME": str(room / "state")},
        )  # fmt: skip


def run_of(room: Path) -> Run:
    return Run("it", room / "state/offswitch/runs/it")


def _works(room: Path) -> bool:
    return (room / "work/up").exists()


def _victim(
    trial: Crash, room: Path, front: subprocess.Popen[bytes], token: str, delay_s: float
) -> int | None:
    """The process to kill, at the time to kill it."""
    if trial.running:
        _wait_until(lambda: _works(room) or front.poll() is not None, 60.0)
        # The proof that the victim of it all is alive before.
        _wait_until(lambda: len(_living(token)) > DAEMONS or front.poll() is not None, 30.0)
    time.sleep(delay_s)
    found: list[int] = []

    def there() -> bool:
        pid = _part(trial.part, front.pid)
        found.extend([] if pid is None else [pid])
        return bool(found) or front.poll() is not None

    _wait_until(there, 20.0)
    if not found or front.poll() is not None:
        trial.problems.append(f"ended before its {trial.part} could be killed: {_output(room)}")
        return None
    trial.running = trial.running or _works(room)
    return found[0]


def _part(name: str, front: int) -> int | None:
    if name == "supervisor":
        return front
    words = {"proxy": "offswitch.guard.proxy", "sensors": "offswitch.guard.sensors"}
    word = words.get(name, f"{os.sep}guard{os.sep}stop{os.sep}")
    found = next((pid for pid in _children(front) if word in _command(pid)), None)
    if found is None or name != "spawner":
        return found
    return next(iter(_children(found)), None)


def _handles(front: int) -> dict[int, int]:
    """A handle of the front and of everything below it."""
    found: dict[int, int] = {}
    waiting = [front]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(ProcessLookupError):
            found[pid] = os.pidfd_open(pid)
            waiting += _children(pid)
    return found


def _jailed(front: int, handles: dict[int, int]) -> list[int]:
    """The handles of what the spawner started."""
    spawner, found = _part("spawner", front), []
    waiting = [] if spawner is None else _children(spawner)
    while waiting:
        pid = waiting.pop()
        waiting += _children(pid)
        if pid in handles:
            found.append(handles[pid])
    return found


def _await_death(
    trial: Crash, token: str, jailed: list[int], begun: float, latest_s: float
) -> None:
    end = begun + latest_s
    for pidfd in jailed:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        poll.poll(max(0.0, end - time.monotonic()) * 1000)
    trial.seconds = time.monotonic() - begun
    while (left := _living(token)) and time.monotonic() < end:
        time.sleep(0.005)
        trial.seconds = time.monotonic() - begun
    if left or trial.seconds >= latest_s:
        trial.problems.append(f"the agent survives: {len(left)} processes")


def _await_guards(trial: Crash, front: subprocess.Popen[bytes], handles: dict[int, int]) -> None:
    """The rest of the guard ends, too."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        front.wait(60)
    end = time.monotonic() + 20.0
    for pid, pidfd in handles.items():
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
            trial.problems.append(f"process {pid} of the guard goes on: {_command(pid)}")


def _look(trial: Crash, room: Path, front: subprocess.Popen[bytes]) -> None:
    run, folder = run_of(room), run_of(room).folder.parent
    acked = _lines(room / "work/acked")
    trial.acked = len(acked)
    if not run.folder.is_dir():  # killed before it had a folder
        if _works(room):
            trial.problems.append("the agent began without a run")
        return
    found = _verified(trial, run)
    if found is None:
        if _works(room):
            trial.problems.append("the agent began without a ledger")
    else:
        trial.records = found.head.count
        kept = {
            one.body["act"]["arguments"]["id"]
            for one in read_records(run.folder / "ledger.jsonl")
            if one.kind == "act"
        }
        if lost := set(acked) - kept:
            trial.problems.append(f"{len(lost)} acts that were answered are not in the ledger")
    (entry,) = list_runs(folder)
    if trial.part == "supervisor":
        _look_at_the_dead(trial, run, folder, entry.condition)
        return
    result = read_state(run, "result.json")
    if entry.condition != "ended" or result.get("verified") is not True:
        trial.problems.append(f"{entry.condition}, {result}: {_output(room)}")
    if result.get("reason") in (None, "exited"):
        trial.problems.append(f"its result does not say what happened: {result}")
    if found is not None and not found.closed:
        trial.problems.append("its ledger was not closed")
    trial.told = f"{result.get('reason')}: {result.get('detail')}"


def _look_at_the_dead(trial: Crash, run: Run, folder: Path, condition: str) -> None:
    if condition == "ended":  # killed after it had written its result
        return
    if condition not in ("killed", "dead"):
        trial.problems.append(f"its condition is {condition}")
    one = look_back(run)
    trial.told = aftermath_text(one)
    if not one.empty:
        trial.problems.append(f"not verified empty: {trial.told}")
    if one.records != trial.records or one.ledger_problem:
        trial.problems.append(f"told {one.records} records of {trial.records}: {trial.told}")
    if one.at is None or not 0 <= time.time() - one.at < 60:
        trial.problems.append(f"told a time of {one.at}")
    shown = read_state(run, BEGUN).get("shown")
    told = [[other.run_id for other in tell_of_the_dead(folder)] for _ in range(2)]
    if told != [["it"], []]:
        trial.problems.append(f"the next run tells {told}, not once")
    if shown and Path(shown).exists():
        trial.problems.append(f"{shown} is left behind")


def _verified(trial: Crash, run: Run) -> Verified | None:
    ledger, heads = run.folder / "ledger.jsonl", run.folder / "heads.jsonl"
    if not ledger.exists() or not ledger.stat().st_size:
        return None
    anchored = read_anchor(heads) if heads.exists() and heads.stat().st_size else ()
    try:
        return verify_ledger(ledger, heads=anchored)
    except LedgerError as problem:
        trial.problems.append(str(problem))
        return None


def _living(token: str) -> set[int]:
    wanted, found = f"CRASH_TOKEN={token}".encode(), set[int]()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in Path(entry.path, "environ").read_bytes().split(b"\0"):
                    found.add(int(entry.name))
    return found


def _memory() -> set[tuple[str, int]]:
    """The host's System V memory segments, and the process that made each."""
    head, *rows = Path("/proc/sysvipc/shm").read_text(encoding="ascii").splitlines()
    number, maker = (head.split().index(name) for name in ("shmid", "cpid"))
    return {(row.split()[number], int(row.split()[maker])) for row in rows}


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def _lines(path: Path) -> list[str]:
    return path.read_text().split("\n")[:-1] if path.exists() else []


def _output(room: Path) -> str:
    return (room / "output").read_text(errors="replace")[-400:]


def _wait_until(true: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.002)


def clean(room: Path) -> None:
    shutil.rmtree(room, ignore_errors=True)


if __name__ == "__main__":  # one trial by hand: PART running|starting DELAY
    with echo() as upstream:
        place = Path("/tmp") / f"crash-{secrets.token_hex(4)}"
        done = crash(place, upstream, sys.argv[1], running=sys.argv[2] == "running",
                     delay_s=float(sys.argv[3]))  # fmt: skip
        print(json.dumps(done.__dict__, indent=1))
        clean(place)
