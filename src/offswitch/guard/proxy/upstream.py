"""The connection to a provider or tool server: with the guard's key, without the agent's."""

from __future__ import annotations

import os
from collections.abc import Mapping

from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from multidict import CIMultiDict

from offswitch.errors import GuardError
from offswitch.guard.policy.policy import RoutePolicy
from offswitch.guard.proxy.shapes import MalformedError

__all__ = [
    "MOST_ANSWER",
    "answer_headers",
    "asked_headers",
    "good",
    "key_headers",
    "key_of",
    "open_session",
    "whole",
    "without_key",
]

CONNECT_S, SILENCE_S = 10.0, 600.0
MOST_ANSWER = 64 * 2**20
"""Longest answer that is held whole, bytes."""
_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length", "content-encoding",
}  # fmt: skip
_ASKED = _HOP | {
    "authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "accept-encoding",
    "openai-organization", "openai-project", "forwarded", "via", "expect", "x-http-method",
    "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url",
}  # fmt: skip
_ANSWERED = _HOP | {"set-cookie", "alt-svc"}


def open_session() -> ClientSession:
    """A session that follows no redirect's host with a key: callers pass allow_redirects=False."""
    return ClientSession(
        connector=TCPConnector(limit=0, keepalive_timeout=60),
        timeout=ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
        cookie_jar=DummyCookieJar(),
        trust_env=False,
        read_bufsize=2**20,
    )


def key_of(variable: str) -> str:
    """The key in a variable; empty where no variable is named.

    Raises:
        GuardError: the variable is not set.
    """
    if not variable:
        return ""
    key = os.environ.get(variable, "")
    if not key:
        raise GuardError(
            f"the environment variable {variable} is not set. Set it where `offswitch guard run` "
            "is started: the key stays with the guard and never enters the jail."
        )
    return key


def key_headers(route: RoutePolicy, key: str) -> dict[str, str]:
    """The headers that carry a key to this kind of provider."""
    if not key:
        return {}
    return {"x-api-key": key} if route.kind == "anthropic" else {"Authorization": f"Bearer {key}"}


def asked_headers(headers: Mapping[str, str], key: Mapping[str, str]) -> CIMultiDict[str]:
    """The agent's headers without those that carry rights, and with the key."""
    named = str(headers.get("Connection", "")).lower().replace(" ", "").split(",")
    made: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if name.lower() not in _ASKED and name.lower() not in named:
            made.add(name, value)
    made.update(key)
    made["Accept-Encoding"] = "identity"  # what cannot be read cannot be judged
    return made


def answer_headers(headers: Mapping[str, str], key: str) -> CIMultiDict[str]:
    """The provider's headers without those of the connection and the key, its text in UTF-8."""
    made: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        shown = value.replace(key, "[key]") if key else value
        if name.lower() == "content-type" and ";" in shown:
            shown = shown.partition(";")[0] + "; charset=utf-8"  # in which it is judged
        if name.lower() not in _ANSWERED:
            made.add(name, shown)
    return made


async def whole(answer: ClientResponse, most: int) -> bytes:
    """The answer's body, unpacked. Raises: MalformedError, for one that is longer."""
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > most:
            raise MalformedError(f"an answer of more than {most} bytes")
    return bytes(content)


def good(answer: ClientResponse) -> bool:
    """Whether clients take the answer for a success and act on it, so that it must be judged."""
    return 200 <= answer.status < 300


def without_key(data: bytes, key: str) -> bytes:
    """The data; a key that a provider repeats in it, in an error for one, is blotted out."""
    return data.replace(key.encode(), b"[key]") if key else data
