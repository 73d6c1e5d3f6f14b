"""What was proposed, executed and effected, held against each other.

The model proposes, tool servers and hosts execute, and the sensors see effects. An effect that
nothing proposed explains is a hidden action; a proposal without an effect is one that came to
nothing, or one whose effect nobody saw.

CAVEAT: an effect counts as explained where a proposal names its subject, or where its tool is said
to do anything at all, as a shell does. A hidden act behind an open shell call is explained by it:
the report counts these apart, as loosely explained. A program may bear a name that was proposed.
"""

from __future__ import annotations

import bisect
import fnmatch
import functools
import json
import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import msgspec

from offswitch.guard.policy.act import Act, call_key, plain_tool

__all__ = ["Effect", "EffectKind", "Reconciled", "Timed", "reconcile"]

EffectKind: TypeAlias = Literal["file", "program", "host"]

WINDOW_S = 60.0
"""How long after a proposal its effects may come, seconds."""
BROAD = ("bash", "shell", "exec*", "run_*", "*execute*", "python", "local_shell*")
"""Tools that may do anything."""


class Timed(msgspec.Struct, frozen=True):
    """An act that was let through, as the ledger has it."""

    seconds: float
    """Since the ledger was opened."""
    act: Act


class Effect(msgspec.Struct, frozen=True):
    """Something that a sensor saw change."""

    seconds: float
    kind: EffectKind
    subject: str
    """Path, program or host."""
    names: tuple[str, ...] = ()
    """Of a program: what else it is called by."""


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """What fits and what does not."""

    hidden_executions: tuple[Timed, ...]
    """Executed although no model proposed them."""
    hidden_effects: tuple[Effect, ...]
    """Effects that nothing proposed or executed explains."""
    without_execution: tuple[Timed, ...]
    """Proposed and never executed where executions are seen."""
    without_effect: tuple[Timed, ...]
    """Proposed, and nothing that anybody saw names it."""
    explained: int
    """Effects whose subject a proposal or an execution names."""
    loosely_explained: int
    """Effects explained only by a tool that may do anything."""


class _Said:
    """What an act says."""

    def __init__(self, text: str) -> None:
        self.text = text

    @functools.cached_property
    def words(self) -> frozenset[str]:
        return _words_of(self.text)


def reconcile(
    proposed: Sequence[Timed],
    executed: Sequence[Timed],
    effects: Sequence[Effect],
    *,
    window_s: float = WINDOW_S,
    broad: Sequence[str] = BROAD,
) -> Reconciled:
    """What was proposed, executed and effected, held against each other.

    Each execution uses up one proposal of the same tool and arguments, the earliest before it. One
    proposal may explain many effects. O(n log n) for the matching, O(effects x acts in a window)
    for the explanations.
    """
    proposed = sorted(proposed, key=lambda one: one.seconds)
    hidden, used = _matched(proposed, sorted(executed, key=lambda one: one.seconds))
    explaining = sorted([*proposed, *executed], key=lambda one: one.seconds)
    times = [one.seconds for one in explaining]
    said = [_Said(_text(one.act)) for one in explaining]
    named: set[int] = set()
    loosely, unexplained = 0, []
    for effect in effects:
        first = bisect.bisect_left(times, effect.seconds - window_s)
        last = bisect.bisect_right(times, effect.seconds)
        names = _naming(effect)
        naming = [i for i in range(first, last) if names(said[i])]
        named.update(naming)
        if naming:
            continue
        open_calls = [i for i in range(first, last) if _broad(explaining[i].act, broad)]
        named.update(open_calls)
        loosely += bool(open_calls)
        unexplained += [] if open_calls else [effect]
    tools = {one.act.tool for one in executed if one.act.tool}
    effective = {id(explaining[i]) for i in named}
    return Reconciled(
        hidden_executions=tuple(hidden),
        hidden_effects=tuple(unexplained),
        without_execution=tuple(
            one for i, one in enumerate(proposed) if i not in used and plain_tool(one.act) in tools
        ),
        without_effect=tuple(one for one in proposed if id(one) not in effective),
        explained=len(effects) - loosely - len(unexplained),
        loosely_explained=loosely,
    )


def _matched(proposed: Sequence[Timed], executed: Sequence[Timed]) -> tuple[list[Timed], set[int]]:
    """Executions without a proposal, and the places of the proposals that were used."""
    waiting: dict[tuple[str, str], list[int]] = {}
    for i, one in enumerate(proposed):
        waiting.setdefault(call_key(one.act), []).append(i)
    hidden, used = [], set[int]()
    for one in executed:
        if one.act.kind != "tool":
            continue  # hosts are explained by what names them: no model proposes a connection
        places = waiting.get(call_key(one.act), [])
        if places and proposed[places[0]].seconds <= one.seconds:
            used.add(places.pop(0))
        else:
            hidden.append(one)
    return hidden, used


def _text(act: Act) -> str:
    return f"{act.tool} {act.host} {act.path} {json.dumps(act.arguments, ensure_ascii=False)}"


def _naming(effect: Effect) -> Callable[[_Said], bool]:
    """Says whether an act names the effect's subject."""
    subject = effect.subject.rstrip("/")
    name = subject.rpartition("/")[2] if effect.kind in ("file", "program") else subject
    if effect.kind == "program":
        called = [words for one in (name, *effect.names) if (words := _words_of(one))]
        return lambda said: any(words <= said.words for words in called)
    return lambda said: bool(name) and name in said.text


def _words_of(text: str) -> frozenset[str]:
    """The words of a text that may be names of programs, without their versions."""
    words = re.findall(r"[\w.-]+", re.sub(r"\\.", " ", text))  # what JSON escapes divides words
    plain = (re.sub(r"[-.]?\d[\d.]*$", "", word).strip(".-") for word in words)
    return frozenset(word for word in plain if word)


def _broad(act: Act, broad: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(plain_tool(act).lower(), glob) for glob in broad)
