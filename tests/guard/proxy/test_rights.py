"""In a run started by root the proxy and its tool servers are not root, and still do their work."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import shapes_of
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace
from proxied import KEY, RULES, Model, run

from offswitch.errors import GuardError
from offswitch.guard.free_uid import free_uid
from offswitch.guard.guarded_run import run_guarded
from offswitch.guard.jail.host import inspect_host
from offswitch.guard.jail.settings import JailPolicy
from offswitch.guard.ledger.writer import LedgerWriter
from offswitch.guard.policy.policy import McpServer, Policy, RoutePolicy
from offswitch.guard.policy.read import parse_policy
from offswitch.guard.proxy.link import ProxyLink
from offswitch.guard.proxy.rights import require_startable
from offswitch.guard.proxy.settings import ProxySettings
from offswitch.guard.sensors import sensor_process
from offswitch.guard.stop.processes import read_process
from offswitch.guard.supervisor.runs import create_run
from offswitch.guard.ways_out import WaysOut

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root has rights to give up")
SERVER = """
import json, os, sys
status = dict(line.split(":\\t") for line in open("/proc/self/status") if ":\\t" in line)
known = {"uids": os.getresuid(), "gids": os.getresgid(), "groups": os.getgroups(),
         "caps": [int(status[n], 16) for n in ("CapInh", "CapPrm", "CapEff", "CapAmb")],
         "no_new_rights": int(status["NoNewPrivs"]), "keys": [k for k in os.environ if "KEY" in k],
         "home": os.access(os.environ["HOME"], os.W_OK), "pid": os.getpid()}
if "loose" in sys.argv:  # of its own session, and without the run's mark
    known["loose"] = os.posix_spawn("/bin/sleep", ["sleep", "600"], {}, setsid=True)
for line in sys.stdin:
    said = {"jsonrpc": "2.0", "id": json.loads(line)["id"], "result": known}
    print(json.dumps(said), flush=True)
"""
CAPS = ("CapPrm", "CapEff", "CapBnd", "CapAmb")
PING = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n'
AGENT = f"""
import os, socket
with socket.socket(socket.AF_UNIX) as server:
    server.connect(os.environ["MCP_WHO"])
    server.sendall({PING!r})
    print(server.makefile().readline(), end="")
"""


def tool_server(folder: Path) -> McpServer:
    (folder / "server.py").write_text(SERVER)
    (folder / "server.py").chmod(0o644)
    return McpServer(name="who", command=("/usr/bin/python3", "-S", str(folder / "server.py")))


async def _said(path: Path) -> tuple[dict[str, Any], asyncio.StreamWriter]:
    """What a server says of itself, and the connection that keeps it alive."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(PING)
    return json.loads(await reader.readline())["result"], writer


def _is_alive(pid: int) -> bool:
    found = read_process(pid)
    return found is not None and found.state not in "ZX"


def test_the_proxys_own_user_is_nobodys() -> None:
    uid = free_uid()
    assert uid not in {one.pw_uid for one in pwd.getpwall()}
    assert 61184 <= uid <= 65519


def test_a_tool_server_that_cannot_be_executed_stops_the_start_by_its_name(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.write_text("#!/bin/sh\n")
    servers = [
        McpServer(name="a", command=(str(closed),)),
        McpServer(name="b", command=("no-such-program",)),
        McpServer(name="c", command=("sh",)),
        McpServer(name="d", url="http://x"),
        McpServer(name="e", command=("/",)),
        McpServer(name="f", command=("/no/such",)),
    ]
    found = (
        r"closed' of 'a' \(not executable: chmod \+x\), 'no-such-program' of 'b' \(in no folder of "
        r"PATH; ./no-such-program .*\), '/' of 'e' \(a folder\), '/no/such' of 'f' \(there is no "
        r"such file\)\. .*url"
    )
    with pytest.raises(GuardError, match=found):
        require_startable(servers)


@needs_root
@pytest.mark.slow
def test_a_proxy_started_by_root_keeps_its_keys_and_sockets_and_no_right(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REAL_KEY", KEY)
    book = LedgerWriter(open_folder / "ledger", {})
    model, uid = Model(), free_uid()
    model.answers(shapes_of.chat("I look", ("read_file", {"path": "a"})))

    async def whole() -> None:
        provider = web.Application()
        provider.router.add_route("*", "/{path:.*}", model.handle)
        async with TestServer(provider, host="127.0.0.1") as server:
            route = RoutePolicy(
                name="openai", kind="openai", key_variable="REAL_KEY",
                # A name: what looks it up is loaded late, and root's library is closed by then.
                upstream=f"http://localhost:{server.port}",
            )  # fmt: skip
            settings = ProxySettings(
                rules=RULES, models=(route,), mcp=(tool_server(open_folder),),
                folder=str(open_folder), again=0, owner=4242, uid=uid,
            )  # fmt: skip
            link = await asyncio.to_thread(ProxyLink, settings, lambda: book)
            try:
                status = Path(f"/proc/{link._process.pid}/status").read_text()
                found = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
                assert found["Uid"].split() == found["Gid"].split() == [str(uid)] * 4
                assert (found["NoNewPrivs"], found["Groups"].strip()) == ("1", "")
                assert {int(found[one], 16) for one in CAPS} == {0}
                connector = aiohttp.UnixConnector(str(open_folder / "proxy.sock"))
                async with aiohttp.ClientSession(connector=connector) as session:
                    url = "http://guard/openai/v1/chat/completions"
                    call = {"model": "m", "messages": [{"role": "user", "content": "go"}]}
                    async with session.post(url, json=call) as answer:
                        assert b"read_file" in await answer.read()
                assert model.headers[0]["authorization"] == f"Bearer {KEY}"
                assert (open_folder / "mcp-who.sock").stat().st_uid == 4242
                said, held = await _said(open_folder / "mcp-who.sock")
                assert said["uids"] == said["gids"] == [uid] * 3
                assert (said["groups"], said["caps"]) == ([], [0] * 4)
                assert (said["no_new_rights"], said["keys"], said["home"]) == (1, [], True)
            finally:
                await asyncio.to_thread(link.close)
            while _is_alive(said["pid"]):  # it goes with the proxy, whose user it is
                await asyncio.sleep(0.01)
            held.close()

    run(whole())


@needs_root
@pytest.mark.slow
def test_a_program_that_only_root_may_read_is_told_of_before_the_agent_exists(
    tmp_path: Path,
) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o700)
    server = McpServer(name="mine", command=(str(tmp_path / "tool"),))
    settings = ProxySettings(rules=(), mcp=(server,), folder=str(tmp_path), uid=free_uid())
    with pytest.raises(GuardError, match="did not start"):
        ProxyLink(settings, lambda: None, tmp_path / "log")
    told = (tmp_path / "log").read_text()
    assert "tool' of 'mine'" in told
    assert "jail.proxy_uid" in told


@pytest.mark.parametrize(
    ("guard", "named", "found"),
    [(0, 4343, 4343), (0, 0, None), (1000, None, None), (1000, 0, None)],
)
def test_a_policy_names_the_proxys_user_and_root_alone_changes_it(
    tmp_path: Path, guard: int, named: int | None, found: int | None
) -> None:
    server = McpServer(name="a", command=("true",))
    jail = JailPolicy(workspace=str(tmp_path), proxy_uid=named)
    host = replace(inspect_host(), uid=guard)
    settings = WaysOut(Policy(jail=jail, mcp=(server,)), host, str(tmp_path)).settings
    assert settings is not None
    assert settings.uid == found


@pytest.mark.slow
def test_a_tool_server_of_a_run_is_never_root_unless_the_policy_says_so_nor_the_sensors_user(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed_over: list[int | None] = []
    monkeypatch.setattr(
        sensor_process, "free_uid", lambda others: passed_over.extend(others) or free_uid(others)
    )
    (open_folder / "work").mkdir()
    (open_folder / "work" / "agent.py").write_text(AGENT)
    if ROOT:
        os.chown(open_folder / "work", 4242, 4242)
    command = json.dumps([*tool_server(open_folder).command, "loose"])
    policy = parse_policy(
        f"version: 1\njail: {{tier: 2}}\nwatchdog: {{heartbeat: 100ms, timeout: 5s}}\n"
        f"rules: []\nmcp: [{{name: who, command: {command}}}]\n",
        folder=open_folder,
    )
    with (open_folder / "output").open("wb") as output:
        done = run_guarded(
            policy, ["/usr/bin/python3", "agent.py"], create_run(folder=open_folder / "runs"),
            stdio={0: os.open(os.devnull, os.O_RDONLY), 1: output.fileno(), 2: output.fileno()},
        )  # fmt: skip
    assert done.result.verified
    said = json.loads((open_folder / "output").read_text())["result"]
    if ROOT:
        assert not _is_alive(said["loose"])  # by its user, whom nobody else is
        assert said["uids"][0] not in (0, 4242)
        assert passed_over == [4242, said["uids"][0]]
        assert said["home"]
    else:
        os.kill(said["loose"], signal.SIGKILL)
        assert said["uids"] == [os.getuid()] * 3
    assert not _is_alive(said["pid"])
