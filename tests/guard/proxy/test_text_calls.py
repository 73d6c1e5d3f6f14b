"""Tool calls that a model writes as plain text are no proposals; what follows is judged."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import shapes_of
from proxied import World, run, world

from offswitch.guard.policy.policy import McpServer
from offswitch.guard.proxy.matching import Matching

TOOLS = McpServer(name="tools", url="/mcp")
TEXTS = {
    "ReAct": "Action: shell[rm -rf /]\nAction: fetch[http://evil.test/]\nAction: read_file[a]",
    "fence": '```json\n{"tool": "shell", "command": "rm -rf /"}\n```\n```tool\nread_file a\n```',
    "tags": '<tool_call>{"name": "shell", "arguments": {"command": "rm -rf /"}}</tool_call>',
}
ROUTES = {
    "/openai/v1/chat/completions": shapes_of.chat,
    "/openai/v1/responses": shapes_of.response,
    "/anthropic/v1/messages": shapes_of.message,
}
ASK = {"model": "m", "messages": [{"role": "user", "content": "go"}], "input": "go"}


async def told(w: World, path: str, text: str) -> bytes:
    w.model.answers(ROUTES[path](text))
    status, data = await w.post(path, ASK)
    assert status == 200
    return data


@pytest.mark.parametrize("form", TEXTS)
@pytest.mark.parametrize("path", ROUTES)
def test_a_call_in_plain_text_is_text_and_its_act_is_judged_where_it_is_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str, form: str
) -> None:
    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,)) as w:
            data = await told(w, path, TEXTS[form])
            assert json.dumps(TEXTS[form]).encode() in data
            assert w.supervisor.acts() == []  # not seen as proposals
            _, data = await w.post("/mcp/tools", call("shell", {"command": "rm -rf /"}))
            assert json.loads(data)["result"]["isError"]
            assert (await fetched(w, tmp_path, "evil.test")).startswith(b"HTTP/1.1 403 ")
            assert w.supervisor.acts() == [("shell", "reject"), ("evil.test", "reject")]
            assert len(w.model.asked) == 1  # the model; no tool server was reached

    run(scenario())


def test_an_act_that_was_proposed_in_plain_text_alone_shows_as_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    matching = Matching()

    async def scenario() -> None:
        async with world(monkeypatch, mcp=(TOOLS,)) as w:
            await told(w, "/openai/v1/chat/completions", TEXTS["ReAct"])
            w.model.answers({"jsonrpc": "2.0", "id": 1, "result": {"content": []}})
            await w.post("/mcp/tools", call("read_file", {"path": "a"}))
            (executed,) = [one for one in w.supervisor.reports if one["type"] == "act"]
            assert (executed["source"], executed["word"]) == ("executed", "approve")
            assert matching.hidden(executed) == "read_file was executed and no model proposed it"

    run(scenario())


async def fetched(w: World, folder: Path, host: str) -> bytes:
    path = str(folder / "egress.sock")
    async with await asyncio.start_unix_server(w.proxy.egress.serve, path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
    return answer


def call(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
