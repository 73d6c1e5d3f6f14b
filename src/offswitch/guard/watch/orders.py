"""An order from the operator's page: checked, then handed to the operator's own door.

The page can do what `offswitch guard pause`, `resume`, `stop` and `answer` do, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple  # Any: values of a JSON object

from offswitch.errors import GuardError, nearest_name
from offswitch.guard.supervisor.operator import move, stop_run
from offswitch.guard.supervisor.run_names import unknown_name
from offswitch.guard.supervisor.runs import Run, RunEntry
from offswitch.guard.watch.shown import shown

__all__ = ["WORDS", "Answer", "Order", "give", "read_order"]

WORDS = ("pause", "resume", "stop", "stop now", "approve", "reject")
_ANSWERS = ("approve", "reject")
PATIENCE_S = 30.0


class Order(NamedTuple):
    """One order for one run."""

    run: Run
    word: str
    number: int = -1
    """approve and reject: which of those that wait."""


class Answer(NamedTuple):
    """What became of an order."""

    done: bool
    text: str


def read_order(fields: object, entries: tuple[RunEntry, ...]) -> Order:
    """The order that a message spells; the run's whole name is needed.

    Raises:
        GuardError: it spells none.
    """
    if not isinstance(fields, dict) or not {"run", "word"} <= set(fields) <= _FIELDS:
        raise GuardError("expected an object with run and word, and number with an answer")
    runs = {entry.run.id: entry.run for entry in entries}
    name, word = str(fields["run"]), str(fields["word"])
    problems = []
    if name not in runs:
        problems.append(unknown_name(name, runs))
    if word not in WORDS:
        problems.append(nearest_name(word, WORDS, kind="order", lister="offswitch guard --help"))
    number = fields.get("number", -1)
    is_one = type(number) is int and number >= 0
    if not is_one if word in _ANSWERS else "number" in fields:
        problems.append(f"number is {number!r}, expected one with approve and reject alone")
    if problems:
        raise GuardError("; ".join(problems))
    return Order(runs[name], word, number)


_FIELDS = frozenset({"run", "word", "number"})


def give(order: Order) -> Answer:
    """Give the order and wait for what comes of it, half a minute at most."""
    try:
        if order.word in ("stop", "stop now"):
            return _stopped(order)
        answer = move(order.run, _request(order))
    except GuardError as problem:
        return Answer(False, str(problem))
    return _answered(order.word, answer)


def _request(order: Order) -> dict[str, object]:
    if order.word not in _ANSWERS:
        return {"request": order.word}
    return {"request": "answer", "number": order.number, "allow": order.word == "approve"}


def _stopped(order: Order) -> Answer:
    done = stop_run(order.run, now=order.word == "stop now", patience_s=PATIENCE_S)
    if done.by == "ended before":
        known = f": {done.known}" if done.known else ""
        proof = "" if done.verified else ", and its death is NOT PROVEN"
        return Answer(done.verified, f"It had ended before{proof}{known}.")
    proof = "the tree is verified empty" if done.verified else "its death is NOT PROVEN"
    text = f"Stopped by the {done.by} in {done.seconds:.2f} s: {proof}."
    return Answer(done.verified, " ".join([text, *done.problems]))


def _answered(word: str, answer: Mapping[str, Any]) -> Answer:
    if not answer.get("ok"):
        return Answer(False, f"Refused: {shown(str(answer.get('problem')))}.")
    return Answer(True, f"{word.capitalize()}: done. It is {shown(str(answer.get('phase')))} now.")
