"""The notice to stop, put into what an agent or its model reads next while the notice stands.

A tool's result gets one more text, and a request to a model one more turn of its user: the system
prompt and the tool list, which are pinned, stay as they are.
"""

from __future__ import annotations

from typing import Any  # plain JSON values

from offswitch.guard.proxy.call import Body
from offswitch.guard.proxy.shapes import field, listed

__all__ = ["noticed_request", "noticed_result"]


def noticed_request(request: Body, notice: str, *, turns: str) -> Body:
    """The request with the notice as its last turn; `turns` is the field that holds them.

    >>> noticed_request({"input": "go on"}, "stop", turns="input")["input"]
    [{'role': 'user', 'content': 'go on'}, {'role': 'user', 'content': 'stop'}]
    """
    given = request.get(turns)
    before = [{"role": "user", "content": given}] if isinstance(given, str) else listed(given)
    return {**request, turns: [*before, {"role": "user", "content": notice}]}


def noticed_result(message: dict[str, Any], notice: str) -> dict[str, Any]:
    """The message, with the notice at its end where it is a tool's result."""
    content = field(message.get("result"), "content")
    if not notice or not isinstance(content, list):
        return message
    told = [*content, {"type": "text", "text": notice}]
    return {**message, "result": {**message["result"], "content": told}}
