from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, get_args

import pytest
from fronts import PYTHON, in_namespace, jail, wait_until
from hypothesis import given
from hypothesis import strategies as st

from offswitch.errors import GuardError
from offswitch.guard.stop.freeze import FreezeResult
from offswitch.guard.stop.launch import LaunchOrder
from offswitch.guard.stop.pidfd import has_ended
from offswitch.guard.stop.watchdog import SOCKET as WATCHDOG_SOCKET
from offswitch.guard.supervisor import run as supervising
from offswitch.guard.supervisor.control import WORDS, Phase, Request, decide, read_request
from offswitch.guard.supervisor.ladder import Alarm, Level, Thresholds
from offswitch.guard.supervisor.operator import ask, move
from offswitch.guard.supervisor.protocol import ShutdownPlan
from offswitch.guard.supervisor.result import RunResult
from offswitch.guard.supervisor.run import supervise
from offswitch.guard.supervisor.runs import create_run
from offswitch.guard.supervisor.settings import Hooks, NoJournal, Settings

SOON = ShutdownPlan(0.05, 0.05, 40.0)
PATIENCE_S = 60.0
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
CALM = "import time; time.sleep(60)"


class Notes(NoJournal):
    """Every transition of the run, in order."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def record(self, kind: str, detail: Any) -> None:
        self.kinds.append(kind)


class Supervised:
    """A run supervised on a thread of this process."""

    def __init__(self, folder: Path, hooks: Hooks, program: str, **settings: Any) -> None:
        self.run, self.notes = create_run("r", folder), Notes()
        self.result: RunResult | None = None
        self.error: Exception | None = None
        usual = {"shutdown": SOON, "timeout_s": 30.0, "head_timeout_s": 30.0}
        told = Settings(**{**usual, **settings})
        flags = ["--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/"]
        flags += ["--proc", "/proc", "--dev", "/dev", "--bind", str(folder), str(folder)]
        order = LaunchOrder(
            tuple(jail(PYTHON, "-I", "-S", "-c", program, flags=flags)), {}, info_fd=9
        )

        def work() -> None:
            try:
                self.result = supervise(order, self.run, told, hooks, self.notes)
            except Exception as error:  # noqa: BLE001 - the test looks at it
                self.error = error

        self.thread = threading.Thread(target=work, daemon=True)  # a test that fails has an end
        self.thread.start()

    def until(self, phase: str) -> None:
        wait_until(lambda: self.phase() == phase)

    def phase(self) -> str:
        try:
            return str(self.ask("status")["phase"])
        except GuardError:
            return ""

    def ask(self, request: str, **more: Any) -> dict[str, Any]:
        return ask(self.run, {"request": request, **more}, timeout_s=20.0)

    def stopped(self) -> RunResult:
        """How it ended: by this order, unless it ends by itself meanwhile."""
        with contextlib.suppress(GuardError):
            self.ask("stop", now=True)
        return self.ended()

    def ended(self) -> RunResult:
        """How it ended by itself."""
        self.thread.join(PATIENCE_S)
        assert self.result is not None
        assert self.result.verified
        return self.result


@pytest.mark.parametrize("phase", get_args(Phase))
@pytest.mark.parametrize("word", WORDS)
def test_every_request_in_every_phase_is_an_order_or_a_problem(word: Any, phase: Any) -> None:
    found = decide(Request(word), phase, Level.OBSERVE)
    assert (found.order == "none") == bool(found.problem) or word == "status"
    allowed = {
        ("pause", "running"): "pause",
        ("resume", "paused"): "resume",
        ("stop", "starting"): "stop now",
        ("stop", "paused"): "stop now",
        ("stop", "running"): "stop",
        ("stop", "stopping"): "stop",
        **{("renew", name): "renew" for name in ("starting", "running", "paused")},
        **{("answer", name): "answer" for name in ("running", "paused")},
    }
    assert found.order == allowed.get((word, phase), "none")
    assert decide(Request("resume"), "paused", Level.KILL).order == "none"
    assert decide(Request("resume"), "running", Level.THROTTLE).order == "release"


@given(
    st.dictionaries(
        st.sampled_from(["request", "now", "seconds", "number", "allow", "x"]), json_values
    )
)
def test_only_a_well_formed_request_is_a_request(fields: dict[str, Any]) -> None:
    with pytest.raises(GuardError):
        read_request({**fields, "request": [fields]})
    try:
        found = read_request(fields)
    except GuardError:
        return
    assert found.word in WORDS
    assert set(fields) <= {"request", "now", "seconds", "number", "allow"}


def test_every_problem_of_a_request_is_told_with_the_nearest_name() -> None:
    with pytest.raises(GuardError, match=r"'pause'.*unknown field 'x'.*seconds is -1"):
        read_request({"request": "paus", "x": 1, "seconds": -1})


@pytest.mark.slow
def test_nothing_an_agent_says_on_any_channel_moves_the_run(tmp_path: Path) -> None:
    """Its descriptors, every socket in sight (its own run's included), the notice: all tried."""
    program = (
        "import os,sys,socket,json,random,time,glob\n"
        "folder=sys.argv[1]\n"
        "words=[json.dumps({'request':w,'now':True}).encode() for w in"
        " ('stop','pause','resume','renew','status')]+[json.dumps({'type':t,'reason':'x',"
        "'seconds':1,'counter':9**9}).encode() for t in ('stop','done','beat','renew','killed')]\n"
        "rng=random.Random(5); tries=0\n"
        "for n in range(200):\n"
        "  data=words[n%10] if n<100 else rng.randbytes(rng.randrange(1,200))\n"
        "  for fd in (0,1,2,3,4,5,6,7,8,9):\n"
        "    try: os.write(fd,data+b'\\n'); tries+=1\n"
        "    except OSError: pass\n"
        "  for path in glob.glob(folder+'/r/*.sock'):\n"
        "    s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET)\n"
        "    try: s.connect(path); tries+=1; s.send(data)\n"
        "    except OSError: pass\n"
        "    s.close()\n"
        "open(folder+'/tries','w').write(str(tries))\n"
        "time.sleep(60)\n"
    )
    command = program.replace("sys.argv[1]", repr(str(tmp_path)))
    one = Supervised(tmp_path, Hooks(), command)
    one.until("running")
    before = list(one.notes.kinds)
    tries = tmp_path / "tries"
    wait_until(lambda: tries.exists() and tries.read_text(), PATIENCE_S)
    assert int(tries.read_text()) > 400, "the agent reached no socket: vacuous"
    status = one.ask("status")
    assert (status["phase"], status["level"], status["watchdog"]) == (
        "running", "observe", "beating",
    )  # fmt: skip
    assert one.notes.kinds == before
    assert one.stopped().reason == "operator"


@pytest.mark.slow
def test_an_alarm_freezes_until_the_operator_releases_it_and_a_worse_one_kills(
    tmp_path: Path,
) -> None:
    score = [0.0]
    thresholds = {"hoarding": Thresholds(ask=1, throttle=2, freeze=3, kill=4)}
    held, throttled = [], []
    hooks = Hooks(
        sensors=(lambda: [Alarm("hoarding", score[0])],),
        hold=held.append,
        throttle=throttled.append,
    )
    one = Supervised(tmp_path, hooks, CALM, thresholds=thresholds)
    one.until("running")
    score[0] = 1.0
    wait_until(lambda: held)
    assert one.phase() == "running"
    score[0] = 2.0
    wait_until(lambda: throttled == [True])
    score[0] = 3.0
    one.until("paused")
    score[0] = 0.0
    time.sleep(0.2)
    assert one.phase() == "paused", "released itself"
    wait_until(lambda: throttled == [True, False])
    wait_until(lambda: held == ["alarm of hoarding", ""])
    wait_until(lambda: one.ask("resume")["ok"])
    one.until("running")
    score[0] = 4.0
    assert one.ended().reason == "ladder"
    assert one.ended().level is Level.KILL


@pytest.mark.slow
def test_an_operator_is_told_what_became_of_a_pause_and_of_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Supervised(tmp_path, Hooks(), CALM)
    one.until("running")
    for word, phase in (("pause", "paused"), ("resume", "running")):
        answer = move(one.run, {"request": word})
        assert (answer["ok"], answer["phase"], answer["moving"]) == (True, phase, False)
    monkeypatch.setattr(supervising, "freeze", lambda *_: FreezeResult(False, "signals", 0.0))
    answer = move(one.run, {"request": "pause"})
    assert (answer["ok"], answer["problem"]) == (False, "it could not be frozen, and goes on")
    one.stopped()
    with pytest.raises(GuardError, match="run r is ended: `offswitch guard status r` says how"):
        move(one.run, {"request": "resume"})


@pytest.mark.slow
def test_the_watchdogs_own_kill_takes_the_ways_out_along(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "300"]) as proxy:
        pidfd = os.pidfd_open(proxy.pid)
        try:
            one = Supervised(tmp_path, Hooks(egress=(pidfd,)), CALM)
            one.until("running")
            assert not has_ended(pidfd)
            ask(one.run, {"request": "stop"}, timeout_s=30.0, socket_name=WATCHDOG_SOCKET)
            assert has_ended(pidfd)
            assert one.ended().reason == "operator"
        finally:
            proxy.kill()
            os.close(pidfd)


@pytest.mark.slow
def test_a_start_that_is_refused_kills_and_raises(tmp_path: Path) -> None:
    def refuse() -> None:
        raise GuardError("probe 'tcp-egress' was allowed")

    one = Supervised(tmp_path, Hooks(start=refuse), CALM)
    one.thread.join(PATIENCE_S)
    assert "probe 'tcp-egress' was allowed" in str(one.error)
    assert "NOT proven" not in str(one.error)


@pytest.mark.slow
def test_a_start_that_fails_because_it_was_stopped_is_a_stop_and_no_failure(tmp_path: Path) -> None:
    starts: list[threading.Thread] = []

    def start() -> None:
        starts.append(threading.current_thread())
        wait_until(lambda: "stopping" in one.notes.kinds)
        raise GuardError("the entry program ended before it was ready")

    # The kill waits for it: the failed start is heard of before the run's end.
    hooks = Hooks(start=start, close_egress=lambda: starts[0].join(PATIENCE_S))
    one = Supervised(tmp_path, hooks, CALM)
    wait_until(lambda: starts)
    assert one.stopped().reason == "operator"


@pytest.mark.slow
def test_a_start_that_outlasts_the_run_ends_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts, over, broken = list[threading.Thread](), threading.Event(), list[object]()
    monkeypatch.setattr(threading, "excepthook", broken.append)

    def start() -> None:
        starts.append(threading.current_thread())
        over.wait(PATIENCE_S)

    one = Supervised(tmp_path, Hooks(start=start), CALM)
    wait_until(lambda: starts)
    assert one.stopped().reason == "operator"
    over.set()
    starts[0].join(PATIENCE_S)
    assert not broken


@pytest.mark.slow
def test_a_guard_that_fails_stops_the_agent(tmp_path: Path) -> None:
    def broken() -> list[Alarm]:
        raise ZeroDivisionError("in a sensor")

    one = Supervised(tmp_path, Hooks(sensors=(broken,)), CALM)
    one.thread.join(PATIENCE_S)
    assert isinstance(one.error, ZeroDivisionError)
    state = json.loads((one.run.folder / "state.json").read_text())
    assert in_namespace(state["pid_namespace"]) == 0


@pytest.mark.slow
def test_a_program_that_cannot_start_is_an_error_with_its_reason(tmp_path: Path) -> None:
    run = create_run("r", tmp_path)
    with pytest.raises(GuardError, match="FileNotFoundError") as caught:
        supervise(LaunchOrder(("/nowhere/bwrap",), {}), run, Settings(shutdown=SOON))
    assert "NOT proven" not in str(caught.value)


@pytest.mark.slow
def test_a_checkpoint_ends_the_grace_and_the_notice_is_where_the_agent_sees_it(
    tmp_path: Path,
) -> None:
    notice, ready = tmp_path / "notice.json", tmp_path / "deaf"
    deaf = "import signal,time; signal.signal(15,signal.SIG_IGN); "
    deaf += f"open({str(ready)!r},'w').close(); time.sleep(60)"
    told: list[str] = []
    hooks = Hooks(
        notice_file=notice,
        tool_notice=lambda notice: told.append("tool"),
        quiesce=lambda: told.append("quiesce"),
        checkpoint=lambda: told.append("checkpoint"),
    )
    one = Supervised(tmp_path, hooks, deaf, shutdown=ShutdownPlan(0.5, PATIENCE_S, 100.0))
    one.until("running")
    wait_until(ready.exists)
    one.ask("stop")
    result = one.ended()
    assert result.shutdown.seconds < PATIENCE_S
    assert told == ["tool", "quiesce", "checkpoint"]
    assert "Save your work now" in json.loads(notice.read_text())["notice"]
    assert [step.step for step in result.shutdown.steps][-2:] == ["halt", "verify"]


@pytest.mark.slow
def test_the_wall_clock_limit_stops_the_run(tmp_path: Path) -> None:
    one = Supervised(tmp_path, Hooks(), CALM, wall_s=0.5)
    assert one.ended().reason == "wall"


def test_settings_that_would_kill_a_healthy_run_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two heartbeats"):
        Settings(heartbeat_s=0.2, timeout_s=0.25)
