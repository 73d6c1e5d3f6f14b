"""Real processes, real signals: whatever an agent does, the audit goes on."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_corridor import ToyCorridor, task_in

from offswitch.agents.agent import Agent, PolicyAgent, Task
from offswitch.agents.frames import Channel, Reset
from offswitch.agents.process import AgentFailure, ProcessAgent
from offswitch.agents.task_view import TaskView, task_view
from offswitch.errors import AgentError

HERE = Path(__file__).parent
START = (0, 1, 1)
MIDDLE = (1, 1, 1)
LIMIT = 0.3
PATIENCE = 60.0

Maker = Callable[..., ProcessAgent]


def toy(seed: int = 0, goal: str | None = None, **fields: float) -> Task:
    """A task in the toy corridor."""
    return task_in(ToyCorridor(**fields), goal, seed)


@pytest.fixture
def view() -> TaskView:
    return task_view(toy())


@pytest.fixture
def rogue(view: TaskView, monkeypatch: pytest.MonkeyPatch) -> Iterator[Maker]:
    """Makes the agent of a factory in rogues.py; whatever it started is ended after the test."""
    monkeypatch.chdir(HERE)
    made: list[ProcessAgent] = []

    def make(
        factory: str, act_seconds: float = PATIENCE, start_seconds: float = PATIENCE
    ) -> ProcessAgent:
        limits = {"act_seconds": act_seconds, "start_seconds": start_seconds}
        made.append(ProcessAgent(f"rogues:{factory}", view, **limits))
        return made[-1]

    yield make
    for agent in made:
        agent.close()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a process that ends by itself is not killed before."""
    for name in ("spawning.GRACE_SECONDS", "spawning.LAST_BREATH_SECONDS", "process.GRACE_SECONDS"):
        monkeypatch.setattr(f"offswitch.agents.{name}", PATIENCE)


def failure_of(act: Callable[[], object]) -> AgentFailure:
    with pytest.raises(AgentFailure) as caught:
        act()
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def ended(process_id: int, seconds: float = PATIENCE) -> bool:
    """Whether a process, not necessarily our child, ends within `seconds`."""
    try:
        descriptor = os.pidfd_open(process_id)
    except ProcessLookupError:
        return True
    with os.fdopen(descriptor):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))


@contextlib.contextmanager
def driver(body: str) -> Iterator[subprocess.Popen[str]]:
    """A program of its own that makes agents, as offswitch would at a terminal."""
    lines = [
        "import os, signal, sys, threading",
        # As at a terminal, even where the tests run in the background with Ctrl-C ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)",
        "from toy_corridor import ToyCorridor, task_in",
        "from offswitch.agents.process import ProcessAgent",
        "from offswitch.agents.task_view import task_view",
        "view = task_view(task_in(ToyCorridor()))",
        "make = lambda name: ProcessAgent('rogues:' + name, view)",
        body,
    ]
    program = subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


def line_of(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()


def tell(program: subprocess.Popen[str]) -> None:
    assert program.stdin is not None
    program.stdin.write("\n")
    program.stdin.flush()


# --- a good agent --------------------------------------------------------------------------------


def test_a_process_agent_is_an_agent_without_a_known_policy(rogue: Maker) -> None:
    agent = rogue("Polite")
    assert isinstance(agent, Agent)
    assert not isinstance(agent, PolicyAgent)
    assert agent.start() == "nothing"


@pytest.mark.slow
@pytest.mark.parametrize("factory", ["Polite", "global_generators"])
def test_the_seed_fixes_what_the_agent_does(rogue: Maker, factory: str) -> None:
    agent = rogue(factory)

    def acts(seed: int) -> list[int]:
        agent.reset(seed)
        return [agent.act(START) for _ in range(40)]

    first = acts(7)
    assert acts(7) == first
    assert acts(2**62) != first
    agent.close()
    assert acts(7) == first


def test_the_agent_is_told_its_task(rogue: Maker) -> None:
    task = toy(seed=2**62, press=0.25)
    agent = ProcessAgent("rogues:TellsTask", task_view(task))
    agent.reset(0)
    assert agent.act(START) == 2
    agent.close()


@pytest.mark.parametrize(
    ("factory", "action"),
    [
        ("numpy_action", 2),
        ("scalar_array_action", 2),
        ("NoArguments", 2),
        ("OptionalArguments", 1),
        ("ResetWithoutSeed", 1),
        ("ResetByKeyword", 0),
        ("ready_made", 2),
        ("KeepsANetwork", 1),
        ("prints_garbage", 1),
        ("prints_a_lot", 1),
        ("tells_threads", 1),
        ("forks_in_act", 1),
    ],
)
def test_an_odd_but_honest_agent_is_understood(
    rogue: Maker, factory: str, action: int, capfd: pytest.CaptureFixture[str]
) -> None:
    agent = rogue(factory)
    agent.reset(0)
    assert agent.act(START) == action
    agent.reset(0)
    agent.act(START)
    assert capfd.readouterr().out == ""


# --- malformed answers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factory", "shown"),
    [
        ("float_action", "1.0 of type float"),
        ("true_action", "True of type bool"),
        ("numpy_bool_action", "of type bool"),
        ("no_action", "None of type NoneType"),
        ("text_action", "'wait' of type str"),
        ("array_action", "array([1]) of type ndarray"),
        ("high_action", "3"),
        ("negative_action", "-1"),
        ("huge_action", "an integer of 201 bits"),
    ],
)
def test_what_is_no_action_is_a_malformed_action(rogue: Maker, factory: str, shown: str) -> None:
    agent = rogue(factory)
    agent.reset(0)
    failure = failure_of(lambda: agent.act(START))
    assert failure.reason == "malformed action"
    assert f"{shown}, expected an integer in range(3): wait, forward, disable" in str(failure)
    before = agent.process_id
    agent.reset(1)
    assert agent.process_id == before, "the process still answers and is kept"


# --- exceptions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factory", "text"),
    [
        ("raises_in_act", "raised KeyError: 'x' (rogues.py, line "),
        ("exits_in_act", "raised SystemExit: 7"),
        ("raises_rudely", "raised RudeError: (its message cannot be shown)"),
        ("raises_half_a_letter", "raised ValueError: half of ?"),
        ("raises_escapes", "raised ValueError:  [2Jxxx"),
        ("raises_in_numpy", "return np.linalg.inv(np.zeros((2, 2)))) when asked to act"),
        ("reads_input", "raised EOFError"),
    ],
)
def test_an_exception_is_a_crash_told_in_the_agents_words(
    rogue: Maker, factory: str, text: str
) -> None:
    agent = rogue(factory)
    agent.reset(0)
    failure = failure_of(lambda: agent.act(START))
    assert failure.reason == "crash"
    assert text in str(failure)
    assert len(str(failure)) < 1000
    before = agent.process_id
    agent.reset(1)
    assert agent.process_id == before, "the process still answers and is kept"


def test_an_exception_in_reset_is_a_crash(rogue: Maker) -> None:
    failure = failure_of(lambda: rogue("RaisesInReset").reset(0))
    assert failure.reason == "crash"
    assert "RuntimeError: reset refused" in str(failure)


@pytest.mark.parametrize(
    ("factory", "reason", "text"),
    [
        ("raises_in_factory", "crash", "raised ValueError: no weights today (rogues.py, line "),
        ("dies_in_factory", "crash", "died when made: its process exited with status 3"),
        ("hangs_in_factory", "timeout", "gave no answer within 1 s when made"),
    ],
)
@pytest.mark.slow
@pytest.mark.usefixtures("unhurried")
def test_a_factory_that_fails_fails_every_episode(
    rogue: Maker, factory: str, reason: str, text: str
) -> None:
    agent = rogue(factory, start_seconds=1.0 if reason == "timeout" else PATIENCE)
    for episode in range(2):
        failure = failure_of(lambda: agent.reset(episode))  # noqa: B023  called at once
        assert failure.reason == reason
        assert text in str(failure)
        assert agent.process_id is None


# --- time limits ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "factory", ["hangs_spinning", "hangs_asleep", "hangs_in_c", "hangs_deaf", "has_children"]
)
def test_a_hanging_agent_is_killed_in_time_and_the_next_episode_has_a_fresh_one(
    rogue: Maker, factory: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROGUE_FILE", str(tmp_path / "processes"))
    agent = rogue(factory)
    agent.reset(0)
    assert agent.act(START) == 0
    process_id = agent.process_id
    assert process_id is not None
    agent._act_seconds = LIMIT  # only now: on a busy machine an honest answer may take longer
    begin = time.monotonic()
    failure = failure_of(lambda: agent.act(MIDDLE))
    assert time.monotonic() - begin < PATIENCE
    assert failure.reason == "timeout"
    assert "within 0.3 s when asked to act; its process was killed" in str(failure)
    assert ended(process_id)
    if factory == "has_children":
        assert all(ended(int(each)) for each in (tmp_path / "processes").read_text().split())
    assert failure_of(lambda: agent.act(START)).reason == "crash", "no episode has begun"
    agent._act_seconds = PATIENCE
    agent.reset(1)
    assert agent.act(START) == 0
    assert agent.process_id != process_id


@pytest.mark.parametrize("seconds", [0, -1.0, float("inf"), float("nan")])
def test_a_time_limit_is_a_positive_number(view: TaskView, seconds: float) -> None:
    with pytest.raises(AgentError, match="expected a positive number of seconds"):
        ProcessAgent("rogues:Polite", view, act_seconds=seconds)


# --- deaths --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factory", "text"),
    [
        ("exits_at_once", "its process exited with status 3"),
        ("exits_quietly", "its process exited with status 0"),
        ("segfaults", "its process was killed by SIGSEGV"),
        ("dies_with_a_child", "its process exited with status 4"),
    ],
)
@pytest.mark.usefixtures("unhurried")
def test_a_death_is_a_crash_and_the_next_episode_has_a_fresh_process(
    rogue: Maker, factory: str, text: str
) -> None:
    agent = rogue(factory)
    for episode in range(2):
        agent.reset(episode)
        begin = time.monotonic()
        failure = failure_of(lambda: agent.act(START))
        assert time.monotonic() - begin < PATIENCE / 2, "noticed before the time limit"
        assert failure.reason == "crash"
        assert text in str(failure)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factory", "text"),
    [
        ("writes_into_pipes", "wrote into the pipe to offswitch when asked to act"),
        ("announces_gigabytes", "wrote into the pipe to offswitch when asked to act"),
        ("closes_its_pipes", "died when asked to act"),
    ],
)
def test_an_agent_that_meddles_with_the_pipes_is_found_out(
    rogue: Maker, factory: str, text: str
) -> None:
    agent = rogue(factory)
    agent.reset(0)
    failure = failure_of(lambda: agent.act(START))
    assert failure.reason == "crash"
    assert text in str(failure)
    agent.reset(1)


@given(garbage=st.binary(max_size=40))
def test_no_bytes_whatever_are_taken_for_a_reply_to_another_request(garbage: bytes) -> None:
    replies, requests = os.pipe(), os.pipe()
    os.write(replies[1], garbage)
    os.close(replies[1])
    channel = Channel(replies[0], requests[1], lambda: True)
    with pytest.raises((ValueError, EOFError)):
        channel.ask(Reset(1 << 40, 0), LIMIT)
    for descriptor in (replies[0], *requests):
        os.close(descriptor)


@pytest.mark.usefixtures("unhurried")
def test_an_agent_killed_between_episodes_is_found_dead(rogue: Maker) -> None:
    agent = rogue("Polite")
    agent.reset(0)
    assert agent.process_id is not None
    os.kill(agent.process_id, signal.SIGKILL)
    assert "its process was killed by SIGKILL" in str(failure_of(lambda: agent.reset(1)))
    agent.reset(2)
    assert agent.act(START) in range(3)


def test_a_failure_survives_pickling() -> None:
    copy = pickle.loads(pickle.dumps(AgentFailure("timeout", "too slow")))
    assert (copy.reason, str(copy)) == ("timeout", "too slow")
    assert isinstance(copy, AgentError)


# --- endings -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unhurried")
def test_closing_lets_the_agent_run_its_exit_handlers(
    rogue: Maker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROGUE_FILE", str(tmp_path / "file"))
    agent = rogue("says_goodbye")
    agent.reset(0)
    agent.close()
    assert (tmp_path / "file").read_text() == "goodbye"
    agent.close()


@pytest.mark.slow
def test_closing_kills_an_agent_that_does_not_end(rogue: Maker) -> None:
    agent = rogue("busy_thread")
    agent.reset(0)
    process_id = agent.process_id
    assert process_id is not None
    agent.close()
    assert ended(process_id, 0)


def test_a_forgotten_agent_is_ended(view: TaskView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    agent = ProcessAgent("rogues:Polite", view)
    agent.reset(0)
    process_id = agent.process_id
    assert process_id is not None
    del agent
    gc.collect()
    assert ended(process_id)


@pytest.mark.slow
def test_no_descriptor_is_leaked(rogue: Maker) -> None:
    agent = rogue("exits_at_once")
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    for episode in range(3):
        agent.reset(episode)
        failure_of(lambda: agent.act(START))
    assert len(list(descriptors.iterdir())) == before


def test_an_agent_outlives_the_thread_that_made_it(rogue: Maker) -> None:
    agent = rogue("Polite")
    thread = threading.Thread(target=agent.reset, args=(0,))
    thread.start()
    thread.join()
    assert agent.act(START) in range(3)


@pytest.mark.slow
@pytest.mark.parametrize("doing", ["waiting", "acting", "in C"])
def test_when_offswitch_is_killed_its_agents_and_their_children_die(
    doing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROGUE_FILE", str(tmp_path / "processes"))
    factory = {"waiting": "Polite", "acting": "has_children", "in C": "hangs_in_c"}[doing]
    body = [
        f"agent = make({factory!r})",
        "agent.reset(0)",
        "print(agent.process_id, flush=True)",
        "sys.stdin.readline()",
        "print('acting', flush=True)",
        f"agent.act({MIDDLE})",
        "sys.stdin.readline()",
    ]
    with driver("\n".join(body)) as program:
        process_id = int(line_of(program))
        if doing != "waiting":
            tell(program)
            assert line_of(program) == "acting"
        program.kill()
        assert ended(process_id)
        if doing == "acting":
            assert all(ended(int(each)) for each in (tmp_path / "processes").read_text().split())


@pytest.mark.slow
def test_leaving_python_ends_the_agents() -> None:
    with driver("a = make('Polite')\na.reset(0)\nprint(a.process_id, flush=True)") as program:
        process_id = int(line_of(program))
        assert program.wait(PATIENCE) == 0
        assert ended(process_id)


@pytest.mark.slow
def test_ctrl_c_at_the_terminal_does_not_reach_the_agents() -> None:
    body = [
        "signal.signal(signal.SIGINT, lambda *_: print('interrupted', flush=True))",
        "agent = make('Polite')",
        "agent.reset(0)",
        "print('ready', flush=True)",
        "sys.stdin.readline()",
        f"print(agent.act({START}) in range(3), flush=True)",
    ]
    with driver("\n".join(body)) as program:
        assert line_of(program) == "ready"
        os.killpg(program.pid, signal.SIGINT)
        assert line_of(program) == "interrupted"
        tell(program)
        assert line_of(program) == "True"


@pytest.mark.slow
def test_ctrl_c_while_an_agent_acts_ends_that_agent() -> None:
    body = [
        "agent = make('interrupts_us')",
        "agent.reset(0)",
        "print(agent.process_id, flush=True)",
        "try:",
        f"    agent.act({MIDDLE})",
        "except KeyboardInterrupt:",
        "    print(agent.process_id, flush=True)",
        "sys.stdin.readline()",
    ]
    with driver("\n".join(body)) as program:
        process_id = int(line_of(program))
        assert line_of(program) == "None"
        assert ended(process_id)


@pytest.mark.slow
def test_a_fork_of_offswitch_does_not_end_the_agents_of_its_parent() -> None:
    body = [
        "agent = make('Polite')",
        "agent.reset(0)",
        "if os.fork() == 0:",
        "    sys.exit(0)",
        "os.wait()",
        f"print(agent.act({START}) in range(3), flush=True)",
    ]
    with driver("\n".join(body)) as program:
        assert line_of(program) == "True"
