"""What the guard itself answers, and requests that it cannot read."""

from __future__ import annotations

import aiohttp
from aiohttp import web

from offswitch.guard.proxy.call import Body
from offswitch.guard.proxy.strict_json import AmbiguousError, fast_object

__all__ = ["RefusedError", "error_answer", "read_body", "read_bytes"]


class RefusedError(Exception):
    """A request that does not go out."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def error_answer(status: int, why: str) -> web.Response:
    """An error as the clients of all providers read it."""
    error = {"type": "guard", "code": "guard", "message": why, "param": None}
    return web.json_response({"type": "error", "error": error}, status=status)


async def read_bytes(request: web.BaseRequest) -> bytes:
    """The request's body. Raises: RefusedError."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as problem:
        raise RefusedError(413, "the request is too long") from problem
    except (aiohttp.ClientError, web.RequestPayloadError, ValueError) as problem:
        raise RefusedError(
            400, f"the request cannot be read: {type(problem).__name__}"
        ) from problem


async def read_body(request: web.BaseRequest) -> Body:
    """The request's JSON object. Raises: RefusedError."""
    try:
        return fast_object(await read_bytes(request))
    except AmbiguousError as problem:
        raise RefusedError(400, f"the request {problem}") from problem
