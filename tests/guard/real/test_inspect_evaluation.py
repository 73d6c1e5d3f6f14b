"""An evaluation with Inspect, run under guard: its own agent, its own tools, its own clients."""

from __future__ import annotations

import json
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from jailed_python import give
from provider import Provider, Turn, provider

from offswitch.guard.guarded_run import GuardedRun, run_guarded
from offswitch.guard.ledger.reading import read_records
from offswitch.guard.ledger.verify import verify_ledger
from offswitch.guard.policy.read import parse_policy
from offswitch.guard.supervisor.runs import create_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("inspect_ai") is None, reason="inspect-ai: pip install 'offswitch[llm]'"
    ),
]

POLICY = """
version: 1
name: evaluation
jail: {{tier: 2, read: [{prefix}], limits: {{wall: 120s}}}}
watchdog: {{heartbeat: 100ms, timeout: 5s}}
rules:
  - {{name: notes, tool: read_note, verdict: approve}}
  - {{name: answer, tool: submit, verdict: approve}}
models:
  - {{name: openai, kind: openai, upstream: "{openai}", key_variable: MODEL_KEY}}
  - {{name: anthropic, kind: anthropic, upstream: "{anthropic}", key_variable: MODEL_KEY}}
"""
READ = Turn("I look at the note.", (("read_note", {"name": "first"}),))
WIPE = Turn("And clean up.", (("wipe", {"name": "first"}),))
SUBMIT = Turn("", (("submit", {"answer": "heron"}),))
ANTHROPIC = json.dumps({"model": "anthropic/scripted", "model_args": {"streaming": True}})


def evaluated(room: Path, openai: Provider, anthropic: Provider) -> GuardedRun:
    work = room / "work"
    work.mkdir()
    shutil.copy(Path(__file__).with_name("notes_task.py"), work)
    give(work)
    text = POLICY.format(prefix=sys.prefix, openai=openai.url, anthropic=anthropic.url)
    command = [sys.executable, "-m", "inspect_ai", "eval", "notes_task.py"]
    command += ["--model-spec", "{model: openai/scripted}", "--model-spec", ANTHROPIC]
    command += ["--display", "plain", "--ctl-server", "false"]
    command += ["--log-format", "json", "--log-dir", "logs"]
    with (room / "output").open("wb") as output:
        return run_guarded(
            parse_policy(text, folder=room), command, create_run(folder=room / "runs"),
            stdio={0: os.open(os.devnull, os.O_RDONLY), 1: output.fileno(), 2: output.fileno()},
        )  # fmt: skip


def test_an_evaluation_runs_to_its_score_and_a_refused_tool_call_never_reaches_its_agent(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_KEY", "the-real-key")
    with provider() as openai, provider() as anthropic:
        openai.plays(Turn("hello, world"), READ, WIPE, SUBMIT)  # it tries the model first
        anthropic.plays(READ, WIPE, SUBMIT)
        done = evaluated(open_folder, openai, anthropic)
        asked = [*openai.asked, *anthropic.asked]
    output = (open_folder / "output").read_text()
    assert (done.result.reason, done.result.exit_code) == ("exited", 0), output
    assert done.result.verified
    work = open_folder / "work"
    # The agents ran what was allowed, once each, and nothing else.
    assert (work / "ran").read_text() == "read first\n" * 2
    logs = [json.loads(path.read_text()) for path in (work / "logs").glob("*.json")]
    assert [log["status"] for log in logs] == ["success"] * 2
    for log in logs:
        assert log["results"]["scores"][0]["metrics"]["accuracy"]["value"] == 1.0
        messages = log["samples"][0]["messages"]
        calls = [call["function"] for one in messages for call in one.get("tool_calls") or []]
        assert calls == ["read_note"]  # Inspect keeps the answer, not the call that gave it
    assert [one.path.partition("?")[0] for one in asked] == ["/v1/responses"] * 4 + [
        "/v1/messages"
    ] * 3
    assert any(one.body.get("stream") for one in asked)
    assert all("the-real-key" in one.key for one in asked)
    assert "the-real-key" not in output + "".join(map(json.dumps, logs))
    acts = [one.body for one in read_records(done.ledger) if one.kind == "act"]
    said = sorted((one["act"]["tool"], one["word"]) for one in acts)
    assert (
        said
        == [("read_note", "approve")] * 2 + [("submit", "approve")] * 2 + [("wipe", "reject")] * 2
    )
    assert verify_ledger(done.ledger, head=done.head.digest).closed
