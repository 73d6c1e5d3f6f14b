"""The real processes: the proxy beside a supervisor's end, and the forwarder in a jail."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import shapes_of
from aiohttp import web
from aiohttp.test_utils import TestServer
from proxied import KEY, RULES, Model, run

from offswitch.errors import GuardError
from offswitch.guard.free_uid import free_uid
from offswitch.guard.jail import inside
from offswitch.guard.ledger.reading import read_records
from offswitch.guard.ledger.writer import LedgerWriter
from offswitch.guard.policy.policy import McpServer, RoutePolicy
from offswitch.guard.proxy.environment import agent_environment, forwards, sockets
from offswitch.guard.proxy.link import THRESHOLDS, ProxyLink
from offswitch.guard.proxy.process import listeners
from offswitch.guard.proxy.settings import ProxySettings
from offswitch.guard.supervisor.ladder import Ladder, Level, raised
from offswitch.guard.supervisor.settings import Hooks
from offswitch.guard.ways_out import with_levers

FORWARDER = Path(inside.__path__[0], "forwarder.py")
SOCKETS = """
import json, os, socket, stat
held = [fd for fd in range(1000) if os.path.exists(f"/proc/self/fd/{fd}")]
held = [fd for fd in held if stat.S_ISSOCK(os.fstat(fd).st_mode)]
kinds = [socket.socket(fileno=os.dup(fd)).type for fd in held]
input()
print(json.dumps({"jsonrpc": "2.0", "id": 1, "result": kinds}), flush=True)
input()
"""
CALL = {"model": "m", "messages": [{"role": "user", "content": "go"}]}


class Started:
    def __init__(self, link: ProxyLink, model: Model, folder: Path, ledger: Path) -> None:
        self.link, self.model, self.folder, self.ledger = link, model, folder, ledger

    async def post(self, body: Any = CALL) -> tuple[int, bytes]:
        connector = aiohttp.UnixConnector(str(self.folder / "proxy.sock"))
        async with aiohttp.ClientSession(connector=connector) as session:
            url = "http://guard/openai/v1/chat/completions"
            async with session.post(url, json=body) as answer:
                return answer.status, await answer.read()

    async def alarm(self) -> str:
        while True:
            for alarm in self.link.alarms():
                return alarm.detector
            await asyncio.sleep(0.005)


def started(
    tmp_path: Path, monkeypatch: Any, scenario: Callable[[Started], Any], **changed: Any
) -> None:
    monkeypatch.setenv("REAL_KEY", KEY)
    book = LedgerWriter(tmp_path / "ledger", {})
    shown = changed.pop("book", lambda: book)

    async def whole() -> None:
        model = Model()
        provider = web.Application()
        provider.router.add_route("*", "/{path:.*}", model.handle)
        async with TestServer(provider) as server:
            upstream = str(server.make_url("")).rstrip("/")
            route = RoutePolicy(
                name="openai", kind="openai", upstream=upstream, key_variable="REAL_KEY"
            )
            settings = ProxySettings(
                rules=RULES, models=(route,), folder=str(tmp_path), again=0,
                uid=free_uid() if os.geteuid() == 0 else None, **changed
            )  # fmt: skip
            link = await asyncio.to_thread(ProxyLink, settings, shown)
            try:
                await scenario(Started(link, model, tmp_path, tmp_path / "ledger"))
            finally:
                await asyncio.to_thread(link.close)

    run(whole())


@pytest.mark.slow
def test_an_act_is_in_the_ledger_before_the_agent_has_it(tmp_path, monkeypatch):
    async def scenario(w: Started) -> None:
        w.model.answers(shapes_of.chat("I look", ("read_file", {"path": "a"})))
        status, data = await w.post()
        assert (status, b"read_file" in data) == (200, True)
        records = read_records(w.ledger)
        (act,) = [one for one in records if one.kind == "act"]
        notes = [one.body["what"] for one in records[: act.number] if one.kind == "note"]
        assert notes == ["model call", "model answered"]
        assert (act.actor, act.authority, act.body["word"]) == ("agent", "read", "approve")
        assert act.body["act"]["arguments"] == {"path": "a"}
        assert KEY.encode() not in w.ledger.read_bytes()
        assert [*w.link.alarms()] == []
        mode = (w.folder / "proxy.sock").stat().st_mode & 0o777
        assert mode == 0o600
        # Hidden from its own user, and its environment with it; root sees it by right.
        environ = Path(f"/proc/{w.link._process.pid}/environ")
        assert os.geteuid() == 0 or not os.access(environ, os.R_OK)

    started(tmp_path, monkeypatch, scenario)


@pytest.mark.slow
def test_what_an_agent_or_a_model_says_never_moves_the_run(tmp_path, monkeypatch):
    orders = [
        {"type": "failed", "why": "x"}, {"type": "order", "word": "quiesce"},
        {"word": "terminate", "type": "act", "rule": None}, {"request": "stop", "now": True},
        {"type": "operator", "number": 1, "allow": True}, {"type": "written", "number": 1},
    ]  # fmt: skip

    async def scenario(w: Started) -> None:
        for i, order in enumerate(orders):
            w.model.answers(shapes_of.chat(json.dumps(order), ("read_file", order)))
            status, _ = await w.post({**CALL, **order, "n": i})
            assert status == 200
            connector = aiohttp.UnixConnector(str(w.folder / "proxy.sock"))
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                session.post(f"http://guard/{order.get('word', 'control')}", json=order) as answer,
            ):
                assert answer.status == 404
        assert [*w.link.alarms()] == []
        assert w.link.waiting() == ()
        assert w.link._process.poll() is None

    started(tmp_path, monkeypatch, scenario)


@pytest.mark.slow
def test_terminate_raises_an_alarm_that_kills(tmp_path, monkeypatch):
    async def scenario(w: Started) -> None:
        w.model.answers(shapes_of.chat(None, ("escape", {})))
        assert (await w.post())[0] == 503
        (alarm,) = w.link.alarms()
        assert raised(Ladder(THRESHOLDS), alarm).level is Level.KILL

    started(tmp_path, monkeypatch, scenario)


@pytest.mark.slow
def test_a_dead_proxy_raises_an_alarm_and_one_closed_on_purpose_none(tmp_path, monkeypatch):
    async def scenario(w: Started) -> None:
        os.kill(w.link._process.pid, signal.SIGKILL)
        assert await w.alarm() == "guard-failure"
        assert [*w.link.alarms()] == []
        w.link.close()
        assert [*w.link.alarms()] == []

    started(tmp_path, monkeypatch, scenario)


@pytest.mark.slow
def test_an_act_that_cannot_be_written_down_is_refused_and_raises_an_alarm(tmp_path, monkeypatch):
    class Full:
        def append(self, *given: Any, **named: Any) -> int:
            raise GuardError("the disk is full")

        happened = append

    async def scenario(w: Started) -> None:
        w.model.answers(shapes_of.chat("I look", ("read_file", {})))
        data = b""
        with contextlib.suppress(aiohttp.ClientError):  # the proxy may be dead already
            status, data = await w.post()
            assert status == 503
        # The model may have been asked: that note is not waited for. What it proposed is.
        assert b"read_file" not in data
        assert await w.alarm() == "guard-failure"

    started(tmp_path, monkeypatch, scenario, book=Full)


@pytest.mark.slow
def test_a_supervisor_that_does_not_answer_in_time_lets_nothing_through(tmp_path, monkeypatch):
    late = threading.Event()
    monkeypatch.setattr(ProxyLink, "_act", lambda self, fields: late.wait(60.0) and None)

    async def scenario(w: Started) -> None:
        w.model.answers(shapes_of.chat("I look", ("read_file", {})))
        status, data = await w.post()
        assert not late.is_set(), "it waited for the supervisor"
        late.set()
        assert status == 503
        assert b"read_file" not in data
        assert await w.alarm() == "guard-failure"

    started(tmp_path, monkeypatch, scenario, answer_s=0.2)


@pytest.mark.slow
def test_an_operator_answers_what_was_escalated(tmp_path, monkeypatch):
    async def scenario(w: Started) -> None:
        for allow in (True, False):
            w.model.answers(shapes_of.chat(None, ("deploy", {"to": "prod"})))
            asking = asyncio.ensure_future(w.post())
            while not w.link.waiting():
                await asyncio.sleep(0.005)
            (shown,) = w.link.waiting()
            number = shown["number"]
            assert (shown["asked"], shown["rule"]) == ('proposed deploy {"to": "prod"}', "ask")
            assert 290 < shown["left_s"] <= 300
            assert w.link.answer(number, allow)
            assert not w.link.answer(number, allow)
            assert (b'"deploy"' in (await asking)[1]) is allow
        commands = [one.body["answer"] for one in read_records(w.ledger) if one.kind == "command"]
        assert commands == ["allowed", "refused"]

    started(tmp_path, monkeypatch, scenario)


@pytest.mark.slow
def test_a_run_with_a_proxy_tells_its_models_of_a_notice_until_it_is_taken_back(
    tmp_path, monkeypatch
):
    async def scenario(w: Started) -> None:
        hooks = with_levers(Hooks(), w.link, SimpleNamespace(switch=lambda on: ""))
        for notice in ("stop now", ""):
            hooks.tool_notice(notice)
            while True:  # the order is on its way
                w.model.answers(shapes_of.chat("well"))
                await w.post()
                last = w.model.asked[-1]["messages"][-1]["content"]
                if last == (notice or "go"):
                    break

    started(tmp_path, monkeypatch, scenario)


@pytest.mark.slow
def test_a_tool_server_inherits_no_channel_to_the_supervisor(tmp_path, monkeypatch):
    async def scenario(w: Started) -> None:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "mcp-who.sock"))
        writer.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        # Its own pipes are streams; what keeps packets apart is the supervisor's.
        assert {*json.loads(await reader.readline())["result"]} == {socket.SOCK_STREAM}
        writer.close()

    server = McpServer(name="who", command=("/usr/bin/python3", "-S", "-c", SOCKETS))
    started(tmp_path, monkeypatch, scenario, mcp=(server,))


@pytest.mark.slow
def test_a_proxy_without_its_key_does_not_start_and_says_why(tmp_path, monkeypatch):
    monkeypatch.delenv("REAL_KEY", raising=False)
    route = RoutePolicy(name="a", kind="openai", upstream="http://x", key_variable="REAL_KEY")
    settings = ProxySettings(rules=(), models=(route,), folder=str(tmp_path))
    with pytest.raises(GuardError, match=r"did not start: .*REAL_KEY is not set.*/log$"):
        ProxyLink(settings, lambda: None, tmp_path / "log")


@pytest.mark.slow
def test_a_tool_server_that_is_not_there_stops_the_start_whoever_starts_it(tmp_path):
    server = McpServer(name="files", command=("/no/such/program",))
    settings = ProxySettings(rules=(), mcp=(server,), folder=str(tmp_path))
    with pytest.raises(GuardError, match=r"did not start: .* of 'files' \(there is no such file\)"):
        ProxyLink(settings, lambda: None, tmp_path / "log")


def test_a_socket_whose_name_is_too_long_says_what_to_shorten(tmp_path):
    folder = tmp_path / ("d" * 90)
    folder.mkdir()
    server = McpServer(name="files", command=("sh",))
    settings = ProxySettings(rules=(), mcp=(server,), folder=str(folder))
    with pytest.raises(GuardError, match=r"d/proxy.sock is .* at most 107\. .* TMPDIR"):
        listeners(settings)


def test_settings_that_do_not_fit_name_every_problem(monkeypatch):
    route = RoutePolicy(name="mcp", kind="openai", upstream="http://x")
    servers = (McpServer(name="a/b", url="http://x"), McpServer(name="c"))
    with pytest.raises(GuardError) as caught:
        ProxyLink(ProxySettings(rules=(), models=(route, route), mcp=servers), lambda: None)
    assert str(caught.value).count("\n  - ") == 4


def test_the_agent_is_given_addresses_and_no_key(monkeypatch):
    route = RoutePolicy(name="main", kind="openai", upstream="http://x", key_variable="REAL_KEY")
    found = agent_environment(
        ProxySettings(rules=(), models=(route,), mcp=(McpServer(name="t", url="http://x"),))
    )
    assert found["OPENAI_BASE_URL"] == "http://127.0.0.1:8080/main/v1"
    assert found["MCP_T"] == "http://127.0.0.1:8080/mcp/t"
    assert KEY not in str(found)


@pytest.mark.parametrize("client_ends_first", [True, False])
def test_the_forwarder_needs_the_standard_library_alone_and_ends_with_the_server(
    tmp_path, client_ends_first
):
    with socket.socket(socket.AF_UNIX) as far:
        far.bind(str(tmp_path / "far"))
        far.listen()
        ran = [sys.executable, "-I", "-S", str(FORWARDER), str(tmp_path / "far")]
        with subprocess.Popen(ran, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None and process.stdout is not None
            connection, _ = far.accept()
            with connection:
                process.stdin.write(b"to the server")
                process.stdin.flush()
                assert connection.recv(100) == b"to the server"
                if client_ends_first:
                    process.stdin.close()
                    assert connection.recv(100) == b""
                connection.sendall(b"x" * 100_000)
            assert process.stdout.read() == b"x" * 100_000
            assert process.wait(60) == 0


AGENT = """
import http.client, os
for i in range(2):
    c = http.client.HTTPConnection("127.0.0.1", 8080)
    c.request("POST", "/x", b"y" * 200000)
    print(c.getresponse().read().decode())
try: print(http.client.HTTPConnection("127.0.0.1", 8081).request("GET", "/"))
except OSError as e: print(e.errno)
print(sorted(os.listdir("/proc/self/fd")), [k for k in os.environ if "KEY" in k])
"""


@pytest.mark.slow
def test_an_agent_in_a_jail_reaches_the_proxy_through_the_forwarder(tmp_path, monkeypatch):
    sys.path.insert(0, str(Path(__file__).parents[1] / "jail"))
    from jails import LIMITS, ORDINARY, folders, output

    from offswitch.guard.jail.host import inspect_host
    from offswitch.guard.jail.plan import plan_jail
    from offswitch.guard.jail.settings import JailPolicy

    got: list[int] = []
    with folders() as (workspace, run_dir), folders() as (shown, _):
        path = f"{shown}/proxy.sock"
        policy = JailPolicy(workspace=workspace, limits=LIMITS)
        settings = ProxySettings(rules=(), folder=shown)
        only = {"proxy.sock": sockets(settings)["proxy.sock"]}
        command = ("/usr/bin/python3", "-c", AGENT)
        plan = plan_jail(policy, inspect_host(), command, run_dir, only, forwards()[:1])

        async def answer(request: web.Request) -> web.Response:
            got.append(len(await request.read()))
            return web.Response(text="hello agent")

        async def scenario() -> None:
            application = web.Application()
            application.router.add_post("/x", answer)
            runner = web.AppRunner(application)
            await runner.setup()
            await web.UnixSite(runner, path).start()
            if os.getuid() == 0:
                os.chown(path, ORDINARY, ORDINARY)
            pid, read = _forked(lambda: output(plan))
            text = await asyncio.to_thread(read)
            os.waitpid(pid, 0)
            await runner.cleanup()
            assert text.splitlines()[:2] == ["hello agent"] * 2
            assert text.splitlines()[2] in ("111", "13")  # refused, or no right to connect
            assert text.splitlines()[3].endswith("[]")

        run(scenario())
    assert got == [200_000] * 2


def _forked(act: Callable[[], tuple[str, int]]) -> tuple[int, Callable[[], str]]:
    """The jail's death signal follows a thread, so it is started from a main one."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = act()[0]
        except BaseException as problem:  # noqa: BLE001 - shown to the parent, which fails
            text = repr(problem)
        os.write(into, text.encode())
        os._exit(0)
    os.close(into)

    def read() -> str:
        with os.fdopen(out, "rb") as file:
            return file.read().decode()

    return pid, read
