"""A model call under way: what the model proposes is decided before the agent sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any  # plain JSON values

import aiohttp
from multidict import CIMultiDict

from offswitch.guard.policy.verdict import Verdict
from offswitch.guard.proxy.budget import Budget
from offswitch.guard.proxy.call import Body, Call, Decisions, Format, Spot
from offswitch.guard.proxy.gate import Gate
from offswitch.guard.proxy.shapes import MalformedError
from offswitch.guard.proxy.strict_json import AmbiguousError, encoded, strict_object
from offswitch.guard.proxy.upstream import MOST_ANSWER, whole, without_key

__all__ = ["Asked", "may_ask_again"]


@dataclass(frozen=True)
class Asked:
    """One request to a model, and what is needed to settle its answer."""

    wire: Format
    gate: Gate
    session: aiohttp.ClientSession
    route: str
    """Name of the route."""
    url: str
    headers: CIMultiDict[str]
    request: Body
    key: str
    again: int
    """How often the model may be told of a refusal and asked anew."""
    budget: Budget = field(default_factory=lambda: Budget(None))
    """What all calls of the run may use."""

    def send(self, body: Body) -> aiohttp.client._RequestContextManager:
        """The request, written as it was read: what was judged is what the provider sees."""
        return self.session.post(
            self.url, data=encoded(body), headers=self.headers, allow_redirects=False
        )

    async def decide(self, call: Call, before: Mapping[str, Any] | None = None) -> Verdict:
        """approve, modify, reject or terminate; see `Gate.decide`. Raises: ClosedError."""
        return await self.gate.decide(call.act, "proposed", problem=call.problem, before=before)

    async def settled(self, data: bytes, again: int) -> tuple[bytes, Body]:
        """A whole answer with every call in it decided: unchanged bytes if all are approved.

        Raises:
            MalformedError: the answer does not have the format's shape.
            ClosedError: something could not be judged.
        """
        body, request = _object(data), self.request
        while True:
            decisions = await self._decided(body)
            self.gate.check()  # one of them may have ended the run
            if all(verdict.word == "approve" for verdict in decisions.values()):
                return data, body
            request = self.wire.again(request, body, decisions)
            answer = None
            if again > 0 and may_ask_again(decisions):
                answer, again = await self._ask(request), again - 1
            if answer is None:
                changed = self.wire.rewritten(body, decisions)
                return encoded(changed), changed
            data, body = answer

    async def anew(self, body: Body, decisions: Decisions) -> Body | None:
        """A settled answer to the refusals; None where the provider gives none.

        Raises: as `settled`.
        """
        answer = await self._ask(self.wire.again(self.request, body, decisions))
        return None if answer is None else (await self.settled(answer[0], self.again - 1))[1]

    def used(self, body: Body) -> None:
        """Count the tokens of an answer and have them written down. Raises: ClosedError."""
        self.gate.tell(self._counted(body))

    def _counted(self, body: Body) -> dict[str, Any]:
        tokens = self.wire.tokens(body)
        self.budget.used(tokens)
        fields = {"route": self.route, "tokens": tokens}
        return {"type": "note", "what": "model answered", "fields": fields}

    async def _decided(self, body: Body) -> dict[Spot, Verdict]:
        """What each call of an answer may do; the answer is noted before the first of them."""
        note: dict[str, Any] | None = self._counted(body)
        decisions: dict[Spot, Verdict] = {}
        try:
            for call in self.wire.calls(body):
                before, note = note, None
                decisions[call.spot] = await self.decide(call, before)
        finally:
            if note is not None:  # no call, or none that can be read
                self.gate.tell(note)
        return decisions

    async def _ask(self, request: Body) -> tuple[bytes, Body] | None:
        if self.budget.problem:
            return None
        async with self.send(request) as answer:
            data = without_key(await whole(answer, MOST_ANSWER), self.key)
            if answer.status != 200 or answer.content_type == "text/event-stream":
                return None
            return data, _object(data)


def may_ask_again(decisions: Mapping[tuple[int, ...], Verdict]) -> bool:
    """Whether nothing of an answer is let through and nothing in it ends the run."""
    return all(verdict.word == "reject" for verdict in decisions.values())


def _object(data: bytes) -> Body:
    try:
        return strict_object(data)
    except AmbiguousError as problem:
        raise MalformedError(f"a body that {problem}") from problem
