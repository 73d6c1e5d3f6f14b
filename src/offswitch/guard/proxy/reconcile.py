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
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from offswitch.guard.policy.act import Act, call_key, plain_tool

__all__ = ["Effect", "EffectKind", "Reconciled", "Timed", "reconcile"]

EffectKind: TypeAlias = Literal["file", "program", "host"]
_Window: TypeAlias = tuple[int, int]
"""The places of the acts that may explain an effect: the first, and the one after the last."""

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
    path: str = ""
    """Of a program: where it lies; empty where nobody may look."""


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """What fits and what does not."""

    hidden_executions: tuple[Timed, ...]
    """Executed although no model proposed them."""
    hidden_effects: tuple[Effect, ...]
    """Effects that nothing proposed or executed explains."""
    own_programs: Mapping[str, int] = {}
    """Programs left out of these as the agent's own: how many starts, by the policy's pattern."""
    without_execution: tuple[Timed, ...]
    """Proposed and never executed where executions are seen."""
    without_effect: tuple[Timed, ...]
    """Proposed, and nothing that anybody saw names it."""
    explained: int
    """Effects whose subject a proposal or an execution names."""
    loosely_explained: int
    """Effects explained only by a tool that may do anything."""


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
    proposal may explain many effects. O(n log n) for the matching and for programs, which are
    looked up by their words; O(effects x acts in a window) for the names of files and hosts, which
    are searched for in what the acts say.
    """
    proposed = sorted(proposed, key=lambda one: one.seconds)
    hidden, used = _matched(proposed, sorted(executed, key=lambda one: one.seconds))
    explaining = sorted([*proposed, *executed], key=lambda one: one.seconds)
    named, without_name = _named(explaining, effects, window_s)
    tools = [plain_tool(one.act) for one in explaining]
    may_do_anything = {tool for tool in set(tools) if _broad(tool, broad)}
    open_calls = [i for i, tool in enumerate(tools) if tool in may_do_anything]
    unexplained = []
    for effect, window in without_name:
        calls = _within(open_calls, window)
        named.update(calls)
        unexplained += [] if calls else [effect]
    loosely = len(without_name) - len(unexplained)
    seen_to_run = {one.act.tool for one in executed if one.act.tool}
    effective = {id(explaining[i]) for i in named}
    return Reconciled(
        hidden_executions=tuple(hidden),
        hidden_effects=tuple(unexplained),
        without_execution=tuple(
            one
            for i, one in enumerate(proposed)
            if i not in used and plain_tool(one.act) in seen_to_run
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


def _named(
    acts: Sequence[Timed], effects: Sequence[Effect], window_s: float
) -> tuple[set[int], list[tuple[Effect, _Window]]]:
    """The places of the acts that name an effect, and the effects that none names.

    `acts` are in the order of time.
    """
    times = [one.seconds for one in acts]
    windows = [
        (bisect.bisect_left(times, one.seconds - window_s), bisect.bisect_right(times, one.seconds))
        for one in effects
    ]
    texts = [_text(one.act) for one in acts]
    programs = [at for at, one in zip(windows, effects, strict=True) if one.kind == "program"]
    index = _index(texts, programs)
    called = functools.cache(_called)  # the same few programs are started again and again
    named, without = set[int](), []
    for effect, window in zip(effects, windows, strict=True):
        if effect.kind == "program":
            names = called(effect.subject, effect.names)
            naming = set[int]().union(*(_holding(index, words, window) for words in names))
        else:
            naming = _saying(texts, effect, window)
        named |= naming
        without += [] if naming else [(effect, window)]
    return named, without


def _index(texts: Sequence[str], windows: Sequence[_Window]) -> dict[str, list[int]]:
    """Each word, and the places of the texts within any of the windows that have it, ascending."""
    index: dict[str, list[int]] = {}
    reached = 0
    for first, last in sorted(windows):
        for i in range(max(first, reached), last):
            for word in _words_of(texts[i]):
                index.setdefault(word, []).append(i)
        reached = max(reached, last)
    return index


def _holding(
    index: Mapping[str, Sequence[int]], words: frozenset[str], window: _Window
) -> set[int]:
    """The places in the window of the texts that have all the words."""
    rarest, *others = sorted((_within(index.get(word, ()), window) for word in words), key=len)
    return set(rarest).intersection(*others)


def _within(places: Sequence[int], window: _Window) -> Sequence[int]:
    first, last = window
    return places[bisect.bisect_left(places, first) : bisect.bisect_left(places, last)]


def _called(subject: str, names: Sequence[str]) -> tuple[frozenset[str], ...]:
    """What a program is called by, each as its words."""
    name = subject.rstrip("/").rpartition("/")[2]
    return tuple(words for one in (name, *names) if (words := _words_of(one)))


def _saying(texts: Sequence[str], effect: Effect, window: _Window) -> set[int]:
    """The places in the window of the texts in which the name of a file or host occurs."""
    subject = effect.subject.rstrip("/")
    name = subject.rpartition("/")[2] if effect.kind == "file" else subject
    return {i for i in range(*window) if name in texts[i]} if name else set()


def _words_of(text: str) -> frozenset[str]:
    """The words of a text that may be names of programs, without their versions."""
    words = re.findall(r"[\w.-]+", re.sub(r"\\.", " ", text))  # what JSON escapes divides words
    plain = (re.sub(r"[-.]?\d[\d.]*$", "", word).strip(".-") for word in words)
    return frozenset(word for word in plain if word)


def _broad(tool: str, broad: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(tool.lower(), glob) for glob in broad)
