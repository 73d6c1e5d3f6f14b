"""An agent made of two SDKs: `openai` asks the model, `mcp` runs what it proposes. In the jail.

For each way to each server it works through one task, then calls a tool that nobody proposed, and
prints what it saw as a line of JSON.
"""

import asyncio
import json
import os
import sys
from typing import Any

import openai
from mcp import Client, MCPError, StdioServerParameters

FORWARD = ["-I", "-S", "/run/offswitch/inside/forwarder.py", os.environ["MCP_PIPES"]]
SERVERS: dict[str, Any] = {
    "pipes": StdioServerParameters(command=sys.executable, args=FORWARD),
    "http": os.environ["MCP_HTTP"],
}
MODEL = openai.OpenAI(max_retries=0)


async def work(client: Client, seen: dict[str, Any]) -> None:
    listed = (await client.list_tools()).tools
    offered = [
        {"type": "function", "function": {"name": one.name, "parameters": one.input_schema}}
        for one in listed
    ]
    messages: list[Any] = [{"role": "user", "content": "Which word does the note hold?"}]
    while True:
        asked = {"model": "m", "messages": messages, "tools": offered}
        with MODEL.chat.completions.stream(**asked) as stream:
            stream.until_done()
            message = stream.get_final_completion().choices[0].message
        if not message.tool_calls:
            seen["answer"] = message.content
            return
        messages.append(message.model_dump(exclude_none=True, include={"role", "tool_calls"}))
        for call in message.tool_calls:
            seen["calls"].append(call.function.name)
            given = json.loads(call.function.arguments)
            done = await client.call_tool(call.function.name, given, progress_callback=heard(seen))
            text = done.content[0].text
            messages.append({"role": "tool", "tool_call_id": call.id, "content": text})


def heard(seen: dict[str, Any]) -> Any:
    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen["progress"].append(message)

    return progress


async def session(name: str, mode: str) -> dict[str, Any]:
    seen: dict[str, Any] = {"calls": [], "progress": []}
    async with Client(SERVERS[name], mode=mode, read_timeout_seconds=30) as client:
        seen["modern"] = client.protocol_version >= "2026"
        await work(client, seen)
        refused = await client.call_tool("wipe", {"name": "first"})
        seen["refused"] = [refused.is_error, refused.content[0].text]
        changed = await client.call_tool("write_note", {"name": "new", "text": "long" * 100})
        seen["changed"] = changed.structured_content
        try:
            await client.read_resource("note://first")
        except MCPError as problem:
            seen["resource"] = str(problem)
    return seen


for server in SERVERS:
    for way in ("auto", "legacy"):
        print(json.dumps(asyncio.run(session(server, way))), flush=True)
