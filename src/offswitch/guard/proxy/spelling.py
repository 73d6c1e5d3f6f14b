"""Keys of the wire that are spelled oddly: some readers match names whatever their case.

Go's encoding/json is one: to it `Tool_Calls`, and with the Kelvin sign or a long s, is the name
that nobody judged. What such readers could take for a name of the wire is refused.
"""

from __future__ import annotations

__all__ = ["odd_key"]

_KNOWN = frozenset({
    "arguments", "background", "choices", "content", "content_block", "custom", "delta", "error",
    "finish_reason", "function", "function_call", "functions", "id", "index", "input",
    "instructions", "item", "jsonrpc", "mcp_servers", "message", "messages", "method", "model",
    "name", "output", "output_index", "params", "partial_json", "prompt", "response", "result",
    "role", "stop_reason", "stream", "system", "tool_calls", "tools", "type", "uri",
    "web_search_options",
})  # fmt: skip
"""Names by which calls, prompts and tools are found."""
_FREE = frozenset({
    "_meta", "arguments", "content", "data", "input", "inputSchema", "input_schema", "metadata",
    "outputSchema", "parameters", "requestedSchema", "schema", "structuredContent",
})  # fmt: skip
"""Names of objects whose keys somebody else has chosen."""


def odd_key(value: object) -> str:
    """A key that some readers take for a name of the wire; empty where there is none."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            for name, inner in one.items():
                if name not in _KNOWN and name.casefold() in _KNOWN:
                    return str(name)
                if isinstance(inner, list) or (isinstance(inner, dict) and name not in _FREE):
                    left.append(inner)
    return ""
