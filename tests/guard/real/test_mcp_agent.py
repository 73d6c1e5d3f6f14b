"""An agent of the MCP and OpenAI SDKs under guard, with tool servers of the MCP SDK outside.

Both transports, and both ways of opening a session: the handshake of revisions up to 2025-11-25 and
the discovery that replaced it in 2026-07-28.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jailed_python import give
from provider import Turn, kept_port, provider

from offswitch.guard.guarded_run import run_guarded
from offswitch.guard.ledger.reading import read_records
from offswitch.guard.policy.read import parse_policy
from offswitch.guard.supervisor.runs import create_run

pytestmark = pytest.mark.slow

SERVER = str(Path(__file__).with_name("notes_server.py"))
POLICY = """
version: 1
name: tools
jail: {{tier: 2, read: [{prefix}], proxy_uid: 0, limits: {{wall: 120s}}}}
watchdog: {{heartbeat: 100ms, timeout: 5s}}
rules:
  - {{name: read, tool: "read_*", verdict: approve}}
  - {{name: short, tool: write_note, set: {{text: short}}, verdict: modify}}
  - {{name: wipes, tool: wipe, verdict: reject, reason: notes stay}}
models: [{{name: main, kind: openai, upstream: "{upstream}"}}]
mcp:
  - {{name: pipes, command: {command}}}
  - {{name: http, url: "http://127.0.0.1:{port}/mcp"}}
"""
READ = Turn("I look first.", (("read_note", {"name": "first"}),))
WIPE = Turn("Then I clean up.", (("wipe", {"name": "first"}),))
ANSWER = Turn("It holds heron.")


@contextlib.contextmanager
def _http_server(ran: Path) -> Iterator[int]:
    with (
        kept_port() as port,
        subprocess.Popen(
            [sys.executable, SERVER, str(ran), str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            end = time.monotonic() + 60
            while True:
                assert process.poll() is None and time.monotonic() < end, "the server is not up"
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)
            yield port
        finally:
            process.kill()


def test_an_agent_of_sdks_uses_its_tools_and_what_is_refused_runs_nowhere(
    open_folder: Path,
) -> None:
    work, ran = open_folder / "work", open_folder / "ran"
    work.mkdir()
    shutil.copy(Path(__file__).with_name("tool_agent.py"), work)
    give(work)
    command = json.dumps([sys.executable, SERVER, str(ran)])
    output = open_folder / "output"
    with provider() as model, _http_server(ran) as port, output.open("wb") as out:
        model.plays(*[READ, WIPE, ANSWER] * 4)  # a refused call is put back to it at once
        text = POLICY.format(
            prefix=sys.prefix, upstream=model.url, command=command, port=port
        )  # fmt: skip
        done = run_guarded(
            parse_policy(text, folder=open_folder), [sys.executable, "tool_agent.py"],
            create_run(folder=open_folder / "runs"),
            stdio={0: os.open(os.devnull, os.O_RDONLY), 1: out.fileno(), 2: out.fileno()},
        )  # fmt: skip
    assert (done.result.reason, done.result.exit_code) == ("exited", 0), output.read_text()
    assert done.result.verified
    seen = [json.loads(line) for line in output.read_text().splitlines() if line[:1] == "{"]
    assert [one.pop("modern") for one in seen] == [True, False, True, False]
    for one in seen:
        assert one["calls"] == ["read_note"], "the model's other proposal was refused"
        assert one["progress"] == ["half of it"]
        assert one["answer"].endswith("It holds heron.")
        assert one["refused"][0] is True
        assert "notes stay" in one["refused"][1]
        assert one["changed"] == {"result": len("short")}
        assert "refused" in one["resource"]
    assert ran.read_text() == "read first\nwrite new: short\n" * 4
    acts = [one.body for one in read_records(done.ledger) if one.kind == "act"]
    said = [(one["source"], one["act"]["tool"], one["word"]) for one in acts]
    assert (
        said
        == [
            ("proposed", "read_note", "approve"),
            ("executed", "read_note", "approve"),
            ("proposed", "wipe", "reject"),
            ("executed", "wipe", "reject"),
            ("executed", "write_note", "modify"),
            ("executed", "resources/read", "reject"),
        ]
        * 4
    )
