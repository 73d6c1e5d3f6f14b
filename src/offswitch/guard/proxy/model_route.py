"""A model call: the request is checked and gets the key, what the model proposes is judged.

A refused call never reaches the agent. The model is told first and may answer otherwise; only when
it insists is the agent told, in the place of the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from offswitch.guard.policy.policy import RoutePolicy
from offswitch.guard.proxy.answers import RefusedError, error_answer, read_body
from offswitch.guard.proxy.anthropic import MESSAGES
from offswitch.guard.proxy.budget import Budget
from offswitch.guard.proxy.call import Body, Format
from offswitch.guard.proxy.gate import ClosedError, Gate
from offswitch.guard.proxy.noticed import noticed_request
from offswitch.guard.proxy.openai_chat import CHAT
from offswitch.guard.proxy.openai_responses import RESPONSES
from offswitch.guard.proxy.pinned import Pins
from offswitch.guard.proxy.settling import Asked
from offswitch.guard.proxy.shapes import MalformedError
from offswitch.guard.proxy.streaming import relay
from offswitch.guard.proxy.strict_json import encoded
from offswitch.guard.proxy.upstream import (
    MOST_ANSWER,
    answer_headers,
    asked_headers,
    good,
    key_headers,
    key_of,
    whole,
    without_key,
)

__all__ = ["ModelRoute"]

_FORMATS: Mapping[tuple[str, str], Format] = {
    ("openai", "/v1/chat/completions"): CHAT,
    ("openai", "/v1/responses"): RESPONSES,
    ("anthropic", "/v1/messages"): MESSAGES,
}
_HARMLESS = {("GET", "/v1/models"), ("POST", "/v1/messages/count_tokens")}
"""What proposes nothing and changes nothing."""


@final
class ModelRoute:
    """The way to one provider."""

    def __init__(
        self,
        route: RoutePolicy,
        session: aiohttp.ClientSession,
        gate: Gate,
        pins: Pins,
        again: int,
        budget: Budget | None = None,
    ) -> None:
        """Raises: GuardError when the key's variable is not set."""
        self._route, self._session, self._gate, self._pins = route, session, gate, pins
        self._key = key_of(route.key_variable)
        self._again, self._budget = again, budget or Budget(None)
        self._host = urlsplit(route.upstream).hostname or ""

    async def handle(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """The answer to one request for `path` of the provider."""
        try:
            wire = _FORMATS.get((self._route.kind, path)) if request.method == "POST" else None
            if wire is not None:
                return await self._call(request, path, wire)
            if (request.method, path) in _HARMLESS:
                return await self._plain(request, path)
            raise RefusedError(404, f"the guard has no route for {request.method} {path:.200}")
        except RefusedError as refused:
            return error_answer(refused.status, str(refused))
        except ClosedError as closed:
            return error_answer(503, str(closed))
        except MalformedError as problem:
            return error_answer(502, f"the provider's answer was not passed on: {problem}")
        except (aiohttp.ClientError, TimeoutError) as problem:
            return error_answer(502, f"the provider cannot be reached: {type(problem).__name__}")

    async def _call(self, request: web.BaseRequest, path: str, wire: Format) -> web.StreamResponse:
        body = await read_body(request)
        await self._gate.pace.act()
        await self._admit(wire, body, path)
        if self._budget.hard is not None:
            body = wire.metered(body)
        if self._gate.notice:
            body = noticed_request(body, self._gate.notice, turns=wire.turns)
        asked = self._asked(request, path, wire, body)
        async with asked.send(body) as answer:
            if good(answer) and answer.content_type == "text/event-stream":
                return await relay(request, answer, asked)
            data = without_key(await whole(answer, MOST_ANSWER), self._key)
            if good(answer):
                data, _ = await asked.settled(data, self._again)
            headers = answer_headers(answer.headers, self._key)
            return web.Response(status=answer.status, body=data, headers=headers)

    async def _plain(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """Pass on what is written down and needs no judging."""
        data = encoded(await read_body(request)) if request.method == "POST" else None
        await self._gate.record("model listing", {"route": self._route.name, "path": path})
        async with self._session.request(
            request.method, self._url(path, request), data=data, headers=self._headers(request),
            allow_redirects=False,
        ) as answer:  # fmt: skip
            content = without_key(await whole(answer, MOST_ANSWER), self._key)
            headers = answer_headers(answer.headers, self._key)
            return web.Response(status=answer.status, body=content, headers=headers)

    async def _admit(self, wire: Format, body: Body, path: str) -> None:
        """Have the call written down; refuse what would run unseen, another goal than pinned, or
        what nobody may spend."""
        if spent := self._budget.problem:
            await self._gate.record("model call refused", {"route": self._route.name, "why": spent})
            raise RefusedError(403, spent)
        for change in self._pins.check(wire.prompt(body), wire.tools(body)):
            if refused := await self._gate.changed(change):
                raise RefusedError(403, refused)
        for call in wire.hosted(body):
            verdict = await self._gate.decide(call.act, "proposed", problem=call.problem)
            if verdict.word != "approve":
                why = f"{call.act.tool} was refused by the guard: {verdict.reason}"
                raise RefusedError(403, why)
        fields = {
            "route": self._route.name, "host": self._host, "path": path,
            "model": str(body.get("model"))[:200], "goal": self._pins.prompt[:12],
        }  # fmt: skip
        # Said before it goes out, but not waited for: what it leads to is.
        self._gate.tell({"type": "note", "what": "model call", "fields": fields})

    def _asked(self, request: web.BaseRequest, path: str, wire: Format, body: Body) -> Asked:
        headers = self._headers(request)
        headers["Content-Type"] = "application/json"
        return Asked(
            wire=wire, gate=self._gate, session=self._session, route=self._route.name,
            url=self._url(path, request), headers=headers, request=body, key=self._key,
            again=self._again, budget=self._budget,
        )  # fmt: skip

    def _headers(self, request: web.BaseRequest) -> CIMultiDict[str]:
        return asked_headers(request.headers, key_headers(self._route, self._key))

    def _url(self, path: str, request: web.BaseRequest) -> str:
        query = request.rel_url.raw_query_string
        return f"{self._route.upstream}{path}{'?' if query else ''}{query}"
