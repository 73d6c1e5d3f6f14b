"""An operator answers a guarded run: by the command, by the page, and by silence; all for real."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from test_guarded_model import Model
from test_guarded_run import OFFSWITCH, POLICY, offswitch, room  # noqa: F401  # a fixture

from offswitch.guard.ledger.reading import read_records
from offswitch.guard.supervisor.operator import ask
from offswitch.guard.supervisor.runs import Run, list_runs
from offswitch.guard.watch.orders import give, read_order
from offswitch.guard.watch.spans import spans_of

pytestmark = pytest.mark.slow

AGENT = """
import json, os, socket, time, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
def model():
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "go"}]}).encode()
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body,
        {"Content-Type": "application/json"})
    message = json.loads(opener.open(request).read())["choices"][0]["message"]
    print([one["function"]["name"] for one in message.get("tool_calls", [])], flush=True)
def tool(name):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(os.environ["MCP_FILES"])
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": name, "arguments": {}}}
    sock.sendall(json.dumps(call).encode() + b"\\n")
    print(json.loads(sock.makefile().readline())["result"]["content"][0]["text"], flush=True)
def wait(name):
    while not os.path.exists(name):
        time.sleep(0.02)
model()
open("hidden.txt", "w").write("x")
tool("read_notes")
wait("held")
tool("read_more")
wait("free")
tool("read_last")
"""
SERVER = """
import json, sys
for line in sys.stdin:
    call = json.loads(line)
    text = "ran " + call["params"]["name"]
    result = {"content": [{"type": "text", "text": text}]}
    print(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}), flush=True)
"""


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("MODEL_KEY", "the-real-key")
    Model.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def waiting(run: Run, seconds: float = 60.0) -> Mapping[str, Any]:
    """The first thing that the run's operator is asked about."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ask(run, {"request": "status"}, timeout_s=20.0)["waiting"]:
            return dict(found[0])
        time.sleep(0.02)
    raise AssertionError("nothing waits")


def until_level(run: Run, level: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while ask(run, {"request": "status"}, timeout_s=20.0)["level"] != level:
        assert time.monotonic() < end, f"the ladder never stood at {level}"
        time.sleep(0.02)


def living_run(folder: Path, started: subprocess.Popen[str], seconds: float = 60.0) -> Run:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for entry in list_runs(folder):
            if entry.condition == "running":
                return entry.run
        assert started.poll() is None, started.stderr.read() if started.stderr else ""
        time.sleep(0.02)
    raise AssertionError("the run did not start")


def test_an_operator_answers_what_waits_and_releases_what_an_alarm_holds(
    room: Path,  # noqa: F811
    model: str,
) -> None:
    (room / "work" / "agent.py").write_text(AGENT)
    (room / "server.py").write_text(SERVER)
    rules = """rules:
  - {name: deploys, tool: shell, verdict: escalate}
  - {name: read, tool: "read_*", verdict: approve}
"""
    policy = (
        POLICY.replace("rules: []\n", rules)
        + f"""
models: [{{name: main, kind: openai, upstream: '{model}', key_variable: MODEL_KEY}}]
mcp: [{{name: files, command: [/usr/bin/python3, -S, {room}/server.py]}}]
ladder: {{hidden-act: ask}}
"""
    )
    (room / "policy.yaml").write_text(policy)
    runs = room / "state" / "offswitch" / "runs"
    command = [*OFFSWITCH, "guard", "run", "--policy", "policy.yaml", "--name", "asks", "--quiet"]
    with subprocess.Popen(
        [*command, "--", "python3", "agent.py"], cwd=room, text=True,
        env={**os.environ, "XDG_STATE_HOME": str(room / "state")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as started:  # fmt: skip
        run = living_run(runs, started)
        number = waiting(run)["number"]
        shown = offswitch(room, "guard", "status", "asks").stdout
        assert f"waits {number}" in shown
        assert "proposed shell {} (rule 'deploys'; " in shown
        assert not ask(run, {"request": "answer", "number": 999, "allow": True})["ok"]
        done = offswitch(room, "guard", "answer", "asks", str(number), "approve")
        assert (done.returncode, done.stdout) == (0, f"{number}: approved.\n")
        until_level(run, "ask")
        (room / "work" / "held").touch()
        other = waiting(run)
        assert other["why"] == "alarm of hidden-act: every act is held"
        order = {"run": "asks", "word": "reject", "number": other["number"]}
        assert give(read_order(order, list_runs(runs))).done
        assert ask(run, {"request": "resume"})["level"] == "observe"
        (room / "work" / "free").touch()
        output, told = started.communicate(timeout=180)
    assert started.returncode == 0, told
    lines = output.splitlines()
    assert lines[:2] == ["['shell']", "ran read_notes"]
    assert "an operator refused it" in lines[2]
    assert lines[3] == "ran read_last"
    records = read_records(run.folder / "ledger.jsonl")
    answers = [one.body["answer"] for one in records if "answer" in one.body]
    assert answers == ["allowed", "refused"]
    (found,) = [one.body for one in records if one.body.get("what") == "reconciled"]
    assert found["hidden_executions_in_all"] == 2  # read_notes and read_last
    assert found["loosely_explained"] >= 1  # hidden.txt, by the shell call before it
    told = {event.name for event in spans_of(records, "asks").events}
    assert {"note: reconciled", "alarm: hidden-act"} <= told
