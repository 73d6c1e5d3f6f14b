"""A tool server made with the MCP SDK: `RAN` over pipes, `RAN PORT` over HTTP.

RAN is the file in which every tool that ran leaves a line.
"""

import sys
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver import Context

server = MCPServer("notes")
RAN = Path(sys.argv[1])


@server.tool()
async def read_note(name: str, context: Context) -> str:
    """Read a note."""
    await context.report_progress(1, 2, "half of it")
    _ran(f"read {name}")
    return f"The word in {name} is heron."


@server.tool()
def wipe(name: str) -> str:
    """Delete a note for good."""
    _ran(f"wipe {name}")
    return "It is gone."


@server.tool()
def write_note(name: str, text: str) -> int:
    """Write a note; how long it is."""
    _ran(f"write {name}: {text}")
    return len(text)


@server.resource("note://{name}")
def note(name: str) -> str:
    """A note."""
    return f"note {name}"


def _ran(what: str) -> None:
    with RAN.open("a") as file:
        file.write(f"{what}\n")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run("stdio")
