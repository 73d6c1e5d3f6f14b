"""An agent in the jail reaches its model only through the guard, and not a refused call of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from test_guarded_run import POLICY, guarded, room  # noqa: F401  # a fixture

from offswitch.cli.guard.run import _fields, _told
from offswitch.guard import guarded_run as guarding
from offswitch.guard.ledger.reading import read_records
from offswitch.guard.sensors.run_sensors import RunSensors

pytestmark = pytest.mark.slow

AGENT = """
import json, os, urllib.request
body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "go"}]}).encode()
base = os.environ["OPENAI_BASE_URL"]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
request = urllib.request.Request(base + "/chat/completions", body,
    {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]})
print(opener.open(request).read().decode())
try:
    urllib.request.urlopen("http://example.com/")
except OSError as problem:
    print("egress:", problem)
"""


class Model(BaseHTTPRequestHandler):
    """Proposes `shell` first; once it is told of the refusal, `read_file`."""

    seen: ClassVar[list[dict[str, object]]] = []
    keys: ClassVar[list[str]] = []

    def do_POST(self) -> None:  # the library's name
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append(body)
        self.keys.append(self.headers["Authorization"])
        tool = "shell" if len(self.seen) == 1 else "read_file"
        call = {"id": "c1", "type": "function", "function": {"name": tool, "arguments": "{}"}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        answer = json.dumps({"id": "x", "object": "chat.completion", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("MODEL_KEY", "the-real-key")
    Model.seen.clear()
    Model.keys.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_refused_call_never_reaches_the_agent_and_the_key_never_enters_the_jail(
    room: Path,  # noqa: F811
    model: str,
) -> None:
    (room / "work" / "agent.py").write_text(AGENT)
    rules = 'rules:\n  - {name: read, tool: "read_*", verdict: approve}\n'
    route = f"{{name: main, kind: openai, upstream: '{model}', key_variable: MODEL_KEY}}"
    policy = POLICY.replace("rules: []\n", rules) + f"models: [{route}]\n"
    done = guarded(room, "exec python3 agent.py", policy)
    output = (room / "output").read_text()
    assert done.result.exit_code == 0, output
    answer, egress = output.splitlines()
    calls = json.loads(answer)["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["name"] for call in calls] == ["read_file"]
    assert "egress:" in egress
    assert set(Model.keys) == {"Bearer the-real-key"}
    assert "the-real-key" not in output + json.dumps(Model.seen[0])
    acts = [one.body for one in read_records(done.ledger) if one.kind == "act"]
    said = [(one["act"].get("tool") or one["act"]["host"], one["word"]) for one in acts]
    assert said == [("shell", "reject"), ("read_file", "approve"), ("example.com", "reject")]


STARTER = (
    AGENT.partition("try:")[0]
    + """
import subprocess, sys, time
own = [sys.executable, "-c", "import time; time.sleep(60)"]
with subprocess.Popen(["sleep", "60"]) as child, subprocess.Popen(own) as helper:
    while not os.path.exists("seen"):
        time.sleep(0.02)
    child.kill()
    helper.kill()
"""
)


def test_a_program_that_no_model_proposed_is_told_when_the_run_is_over_and_an_own_one_counted(
    room: Path,  # noqa: F811
    model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[RunSensors] = []

    def sensors(*given: Any) -> RunSensors:
        made.append(RunSensors(*given))
        return made[0]

    def watch() -> None:
        end = time.monotonic() + 20.0
        while time.monotonic() < end:
            names = [" ".join(start.names) for one in made for start in one.starts.kept]
            if all(any(wanted in one for one in names) for wanted in ("sleep", "python3")):
                break
            time.sleep(0.02)
        (room / "work" / "seen").touch()

    monkeypatch.setattr(guarding, "RunSensors", sensors)
    watcher = threading.Thread(target=watch)
    watcher.start()
    (room / "work" / "agent.py").write_text(STARTER)
    rules = 'rules:\n  - {name: read, tool: "read_*", verdict: approve}\n'
    route = f"{{name: main, kind: openai, upstream: '{model}', key_variable: MODEL_KEY}}"
    policy = POLICY.replace("rules: []\n", rules) + f"models: [{route}]\n"
    done = guarded(room, "exec python3 agent.py", f"{policy}own_programs: ['python3*']\n")
    watcher.join()
    assert done.result.exit_code == 0, (room / "output").read_text()
    bodies = [one.body for one in read_records(done.ledger)]
    (told,) = [one for one in bodies if one.get("what") == "reconciled"]
    programs = [one for one in told["hidden_effects"] if one.startswith("program ")]
    assert len(programs) == 1
    assert "sleep" in programs[0] or "coreutils" in programs[0]
    assert told["programs_left_out"] == 0
    assert told["own_programs"] == {"python3*": 1}
    assert told["hidden_effects_in_all"] == 2
    (alarm,) = [one for one in bodies if one.get("detector") == "hidden-act"]
    for text in (alarm["evidence"], _told(done)):
        assert "2 that no model proposed: file /work/seen, program " in text
    assert "Its own programs, started without a proposal: python3*\n" in _told(done)
    fields = _fields(done)
    assert fields["hidden_acts"] == alarm["evidence"]
    assert fields["own_programs"] == told["own_programs"]
