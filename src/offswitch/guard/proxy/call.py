"""A tool call that a model proposes, what was decided of it, and what a wire format must offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias  # Any: plain JSON values

from offswitch.guard.policy.act import Act
from offswitch.guard.policy.verdict import Verdict
from offswitch.guard.proxy.addresses import host_of
from offswitch.guard.proxy.sse import Event
from offswitch.guard.proxy.strict_json import AmbiguousError, strict

__all__ = [
    "Body", "Call", "Decisions", "Format", "Reader", "Spot", "hosted_call", "is_free_text",
    "read_arguments", "refusal",
]  # fmt: skip

Body: TypeAlias = dict[str, Any]
Spot: TypeAlias = tuple[int, ...]
"""Where a call stands in a response: indices, in the format's own nesting."""
Decisions: TypeAlias = Mapping[Spot, Verdict]


@dataclass(frozen=True)
class Call:
    """One proposed call."""

    spot: Spot
    act: Act
    problem: str = ""
    """Why its arguments cannot be read clearly; empty when they can."""


class Reader(Protocol):
    """Puts a streamed response together and says when a call in it is whole."""

    open: bool
    """Whether a call has begun and is not whole."""
    ended: bool
    """Whether the turn is over: what follows belongs to no block."""

    def take(self, event: Event) -> Sequence[Call]:
        """The calls that this event completes. Raises: MalformedError."""

    def sent(self) -> None:
        """Everything so far has gone to the agent as it came."""

    def whole(self) -> Body:
        """The response so far, as if it had not been streamed."""

    def tail(self, body: Body, *, fresh: bool) -> bytes:
        """Events that carry a whole response on from what was sent, and end the turn.

        A `fresh` body is a new answer, all of it yet to be sent; otherwise it is `whole`,
        rewritten, and what the agent has been sent is left out.
        """


class Format(Protocol):
    """A provider's wire format."""

    turns: str
    """The field of a request that holds what was said so far."""

    def prompt(self, request: Body) -> list[Any]:
        """Everything in it that instructs the model on behalf of the system."""

    def tools(self, request: Body) -> list[Any]:
        """The tools it offers the model."""

    def hosted(self, request: Body) -> list[Call]:
        """What the provider would do by itself, unseen, if the request went out."""

    def calls(self, body: Body) -> list[Call]:
        """What the model proposes. Raises: MalformedError."""

    def rewritten(self, body: Body, decisions: Decisions) -> Body:
        """The response with refused calls as text and modified ones modified."""

    def again(self, request: Body, body: Body, decisions: Decisions) -> Body:
        """A request that tells the model of its refused calls, for a whole answer."""

    def metered(self, request: Body) -> Body:
        """The request, so that the answer says how many tokens it took."""

    def tokens(self, body: Body) -> int | None:
        """Tokens that the provider counted; None where it does not say."""

    def reader(self) -> Reader:
        """A reader for one streamed response."""


def hosted_call(
    kind: object, shown: Body | None = None, given: Body | None = None, field: str = ""
) -> Call:
    """What a provider would do by itself, as the call of a tool `hosted/KIND` with the arguments
    `shown`; `field` of what was `given` is the address where it would."""
    given = given or {}
    url = given.get(field, "")
    host = "" if url in ("", None) else host_of(url) if isinstance(url, str) else None
    act = Act(kind="tool", tool=f"hosted/{kind}", host=host or "", arguments=shown or {})
    problem = "" if host is not None else f"its address {str(url)[:80]!r} has no host, or two"
    for name in given:
        if name != field and name.casefold() == field:  # as `spelling`, for this object alone
            problem = f"it has the key {name!r}, which some readers take for {field!r}"
    return Call((), act, problem)


def read_arguments(text: object) -> tuple[dict[str, Any], str]:
    """A call's arguments, and why they cannot be read clearly."""
    if isinstance(text, dict):
        return text, ""
    if not isinstance(text, str):
        return {"unreadable": repr(text)[:200]}, "its arguments are no text"
    if not text.strip():
        return {}, ""  # some models write nothing where there are no arguments
    try:
        value = strict(text)
    except AmbiguousError as problem:
        return {"unreadable": _plain(text)}, f"its arguments are not clear JSON: {problem}"
    if not isinstance(value, dict):
        return {"unreadable": _plain(text)}, "its arguments are no JSON object"
    return value, ""


def is_free_text(act: Act) -> bool:
    """Whether a tool that takes one text, not an object, can be given what the act says."""
    return set(act.arguments) == {"input"} and isinstance(act.arguments["input"], str)


def refusal(name: str, verdict: Verdict) -> str:
    """What is said in place of a refused call, to the model or to the agent."""
    return f"The call of {name!r} was refused and not run: {verdict.reason}."


def _plain(text: str) -> str:
    return text[:200].encode(errors="replace").decode()
