"""An act is judged, written down by the supervisor, and only then let through.

Anything that goes wrong on the way closes the gate for good: the act is refused, all later ones
are, and the supervisor is told to stop the agent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias, final

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.policy.act import Act
from offswitch.guard.policy.verdict import Verdict
from offswitch.guard.proxy.channel import Reporter
from offswitch.guard.proxy.pinned import Change

__all__ = ["ClosedError", "Gate", "JudgeLike", "Source", "told"]

Source: TypeAlias = Literal["proposed", "executed"]
"""What a model proposed, or what is about to be executed."""

MOST_BYTES = 40 * 1024
"""Longest arguments, as ASCII JSON, that are written down word for word; longer ones by hash."""
SHOWN = 200


class ClosedError(GuardError):
    """The gate is closed; nothing passes."""


class JudgeLike(Protocol):
    """What the gate asks; `policy.judging.Judge` is one."""

    def judge(self, act: Act) -> Verdict:
        """What the policy says of an act."""

    def let_through(self, act: Act) -> None:
        """Count an act that somebody else allowed for later sequences."""


@final
class Gate:
    """The one place where acts are allowed."""

    def __init__(
        self,
        judge: JudgeLike,
        supervisor: Reporter,
        *,
        answer_s: float = 2.0,
        operator_s: float = 300.0,
    ) -> None:
        self._judge, self._supervisor = judge, supervisor
        self._answer_s, self._operator_s = answer_s, operator_s
        self._then: list[Callable[[], None]] = []
        self.closed = ""
        """Why nothing passes; empty while the gate is open."""

    async def decide(self, act: Act, source: Source, *, problem: str = "") -> Verdict:
        """approve, modify, reject or terminate, once the supervisor has written it down.

        `problem` rejects the act whatever the policy says: it could not be read clearly.

        Raises:
            ClosedError: the gate is closed, or this act could not be judged or written down.
        """
        self.check()
        verdict = self._judged(act, problem)
        fields = {
            "type": "act", "source": source, "act": told(act),
            "word": verdict.word, "rule": verdict.rule, "reason": verdict.reason,
            "instead": told(verdict.instead) if verdict.instead else None,
        }  # fmt: skip
        answer = await self._written(fields)
        if verdict.word == "escalate":
            return await self._asked(act, verdict, answer["number"])
        if verdict.word == "terminate":
            self.close(f"terminated: {verdict.reason}", failed=False)
        return verdict

    async def record(self, what: str, fields: dict[str, Any]) -> None:
        """Have something written down before it goes on.

        Raises:
            ClosedError: as `decide`.
        """
        self.check()
        await self._written({"type": "note", "what": what, "fields": fields})

    async def changed(self, change: Change) -> str:
        """Why what showed a change of something pinned may not go on; empty where it may.

        Raises:
            ClosedError: as `decide`.
        """
        event = None if change.event is None else msgspec.to_builtins(change.event)
        fields = {
            "type": "alarm", "detector": change.detector, "level": change.level,
            "evidence": change.evidence, "event": event,
        }  # fmt: skip
        answer = await self._written(fields)
        if change.level != "ask":
            return f"refused by the guard: {change.evidence}" if change.refused else ""
        allowed = await self._supervisor.operator(answer["number"], self._operator_s)
        self.check()
        return "" if allowed else f"no operator allowed it: {change.evidence}"

    def tell(self, fields: dict[str, Any]) -> None:
        """Have something written down without waiting for it.

        Raises:
            ClosedError: it could not be said.
        """
        self.check()
        try:
            self._supervisor.tell(fields)
        except GuardError as problem:
            raise self.close(str(problem)) from problem

    def when_closed(self, cut: Callable[[], None]) -> None:
        """Have something cut off when the gate closes."""
        self._then.append(cut)

    def check(self) -> None:
        """Nothing while the gate is open. Raises: ClosedError."""
        if self.closed:
            raise ClosedError(f"the guard lets nothing through: {self.closed}")

    def close(self, why: str, *, failed: bool = True) -> ClosedError:
        """Close it for good, for whatever comes first; tell the supervisor if the guard failed."""
        if not self.closed:
            self.closed = why
            for cut in self._then:
                cut()
            if failed:
                with contextlib.suppress(GuardError):  # then the end of the channel tells it
                    self._supervisor.tell({"type": "failed", "why": why})
        return ClosedError(f"the guard lets nothing through: {self.closed}")

    def _judged(self, act: Act, problem: str) -> Verdict:
        if problem:
            return Verdict(word="reject", rule=None, reason=problem[:SHOWN])
        try:
            return self._judge.judge(act)
        except Exception as error:
            # Whatever it is: an act that cannot be judged is one nobody allowed.
            raise self.close(f"judging failed: {type(error).__name__}: {error}") from error

    async def _written(self, fields: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await self._supervisor.report(fields, self._answer_s)
        except GuardError as problem:
            raise self.close(str(problem)) from problem
        self.check()  # it may have been closed while this one waited
        return answer

    async def _asked(self, act: Act, verdict: Verdict, number: int) -> Verdict:
        allowed = await self._supervisor.operator(number, self._operator_s)
        self.check()
        if allowed:
            self._judge.let_through(act)
            return Verdict(word="approve", rule=verdict.rule, reason="an operator allowed it")
        reason = f"{verdict.reason}; no operator allowed it within {self._operator_s:g} s"
        return Verdict(word="reject", rule=verdict.rule, reason=reason)


def told(act: Act) -> dict[str, Any]:
    """The act as it is written down; long arguments as hash, size and beginning of their JSON.

    That JSON has sorted keys and nothing but ASCII, as `json.dumps(..., sort_keys=True)` writes it.
    """
    fields: dict[str, Any] = {
        name: value for name, value in msgspec.structs.asdict(act).items() if value
    }
    text = json.dumps(act.arguments, sort_keys=True)
    if len(text) > MOST_BYTES:
        digest = hashlib.sha256(text.encode()).hexdigest()
        fields["arguments"] = {"sha256": digest, "bytes": len(text), "starts": text[:SHOWN]}
    for name in ("tool", "host", "path"):
        if len(fields.get(name, "")) > 4 * SHOWN:
            fields[name] = fields[name][: 4 * SHOWN] + "..."
    return fields
