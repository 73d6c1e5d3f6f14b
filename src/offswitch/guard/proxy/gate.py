"""An act is judged, written down by the supervisor, and only then let through.

Anything that goes wrong on the way closes the gate for good: the act is refused, all later ones
are, and the supervisor is told to stop the agent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias, final

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.policy.act import Act
from offswitch.guard.policy.verdict import Verdict
from offswitch.guard.proxy.channel import Reporter
from offswitch.guard.proxy.pace import Pace
from offswitch.guard.proxy.pinned import Change

__all__ = ["ClosedError", "Gate", "JudgeLike", "Source", "told"]

Source: TypeAlias = Literal["proposed", "executed"]
"""What a model proposed, or what is about to be executed."""

MOST_BYTES = 40 * 1024
"""Longest arguments, as ASCII JSON, that are written down word for word; longer ones by hash."""
SHOWN = 200
MOST_ASKED = 100
"""Acts that may wait for an operator at one time; a further one is refused at once."""
_PASSES = ("approve", "modify")


class ClosedError(GuardError):
    """The gate is closed; nothing passes."""


class JudgeLike(Protocol):
    """What the gate asks; `policy.judging.Judge` is one."""

    def verdict(self, act: Act, *, executed: bool) -> Verdict:
        """What the policy says of an act."""

    def let_through(self, act: Act, instead: Act | None, *, executed: bool) -> None:
        """Count an act that was allowed for later sequences."""


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
        self.held = ""
        """Why every act waits for an operator; empty while none has to."""
        self.notice = ""
        """The notice to stop, while it stands."""
        self.pace = Pace()
        self._asking = 0

    async def decide(
        self,
        act: Act,
        source: Source,
        *,
        problem: str = "",
        before: Mapping[str, Any] | None = None,
    ) -> Verdict:
        """approve, modify, reject or terminate, once the supervisor has written it down.

        `problem` rejects the act whatever the policy says: it could not be read clearly. `before`
        is what `tell` would say, written down first: a message of its own would wake the
        supervisor twice.

        Raises:
            ClosedError: the gate is closed, or this act could not be judged or written down.
        """
        if before is not None and self.pace.on:  # the act's turn may never come
            self.tell(dict(before))
            before = None
        await self.pace.act()
        self.check()
        verdict = self._judged(act, source, problem)
        shown = self._held(verdict)
        fields = {
            "type": "act", "source": source, "act": told(act),
            "word": shown.word, "rule": shown.rule, "reason": shown.reason,
            "instead": told(shown.instead) if shown.instead else None, "before": before,
        }  # fmt: skip
        answer = await self._written(fields)
        if shown.word == "escalate":
            verdict = await self._asked(verdict, shown, answer["number"])
            self._count(act, source, verdict)
        elif verdict.word == "terminate":
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
        refused = await self._refused(answer["number"])
        return f"{refused}: {change.evidence}" if refused else ""

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

    def _judged(self, act: Act, source: Source, problem: str) -> Verdict:
        if problem:
            return Verdict(word="reject", rule=None, reason=problem[:SHOWN])
        try:
            verdict = self._judge.verdict(act, executed=source == "executed")
            if not self.held:
                # At once, before it is written: what is judged meanwhile may come after it.
                self._count(act, source, verdict)
            return verdict
        except Exception as error:
            # Whatever it is: an act that cannot be judged is one nobody allowed.
            raise self.close(f"judging failed: {type(error).__name__}: {error}") from error

    def _count(self, act: Act, source: Source, verdict: Verdict) -> None:
        if verdict.word in _PASSES:
            self._judge.let_through(act, verdict.instead, executed=source == "executed")

    def _held(self, verdict: Verdict) -> Verdict:
        """What is written down of a verdict: what would pass is escalated while acts are held."""
        if not self.held or verdict.word not in _PASSES:
            return verdict
        return Verdict(
            word="escalate", rule=verdict.rule, reason=f"{self.held}: every act is held",
            instead=verdict.instead,
        )  # fmt: skip

    async def _written(self, fields: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await self._supervisor.report(fields, self._answer_s)
        except GuardError as problem:
            raise self.close(str(problem)) from problem
        self.check()  # it may have been closed while this one waited
        return answer

    async def _asked(self, verdict: Verdict, shown: Verdict, number: int) -> Verdict:
        """`verdict` where it lets the act through or an operator does, for `shown` was held."""
        refused = await self._refused(number)
        if refused:
            reason = f"{shown.reason}; {refused}"
            return Verdict(word="reject", rule=shown.rule, reason=reason)
        if verdict.word != "escalate":
            return verdict
        return Verdict(word="approve", rule=verdict.rule, reason="an operator allowed it")

    async def _refused(self, number: int) -> str:
        """Why report `number` may not go on, once an operator has answered or the time is up."""
        if self._asking >= MOST_ASKED:
            self.tell({"type": "expired", "report": number, "after_s": 0.0})
            return f"{MOST_ASKED} acts wait for an operator already"
        self._asking += 1
        try:
            allowed = await self._supervisor.operator(number, self._operator_s)
        finally:
            self._asking -= 1
        self.check()
        if allowed is None:
            self.tell({"type": "expired", "report": number, "after_s": self._operator_s})
            return f"no operator answered within {self._operator_s:g} s"
        return "" if allowed else "an operator refused it"


def told(act: Act) -> dict[str, Any]:
    """The act as it is written down; long arguments as hash, size and beginning of their JSON.

    That JSON has sorted keys and nothing but ASCII, as `json.dumps(..., sort_keys=True)` writes it.
    """
    fields: dict[str, Any] = {
        name: value for name, value in msgspec.structs.asdict(act).items() if value
    }
    if _may_be_long(act) and len(text := json.dumps(act.arguments, sort_keys=True)) > MOST_BYTES:
        digest = hashlib.sha256(text.encode()).hexdigest()
        fields["arguments"] = {"sha256": digest, "bytes": len(text), "starts": text[:SHOWN]}
    for name in ("tool", "host", "path"):
        if len(fields.get(name, "")) > 4 * SHOWN:
            fields[name] = fields[name][: 4 * SHOWN] + "..."
    return fields


def _may_be_long(act: Act) -> bool:
    """False where the ASCII JSON cannot be: a byte of the UTF-8 without blanks is six at most."""
    return 6 * len(msgspec.json.encode(act.arguments)) > MOST_BYTES
