"""The first rule that fits decides; where none fits, the act is rejected."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from offswitch.guard.policy.act import Act, ActKind, call_key
from offswitch.guard.policy.matching import Matcher, is_nested, matcher_of, odd_argument
from offswitch.guard.policy.policy import Pattern, Rule
from offswitch.guard.policy.verdict import Verdict

__all__ = ["Judge"]

LET_THROUGH = ("approve", "modify")


_TOOLS, _LONGEST = 256, 200


class _Compiled(NamedTuple):
    """A rule."""

    rule: Rule
    outline: Matcher
    """Fits whatever the rule could fit, by kind and tool alone."""
    matchers: list[Matcher]
    """Of its steps; the last is of the act itself."""


class _Passed(NamedTuple):
    """An act that was let through."""

    shapes: tuple[Act, ...]
    """As it was proposed, and as it was executed: a step of a sequence fits if it fits either."""
    waits_for: tuple[str, str] | None = None
    """The key of the execution that will be the same act; None where none will."""


class Judge:
    """Judges acts one after another and remembers those that it let through.

    A call that was proposed and is then executed is one act and counts once, where it was executed;
    each execution uses up the earliest proposal of its `call_key`.

    Rules are compiled once. An act costs a microsecond and some for every rule that fits its kind
    and tool; which these are is found once, at one microsecond a rule, and remembered for the last
    tools that were asked for.

    >>> from offswitch.guard.policy.policy import Pattern, Rule
    >>> judge = Judge([Rule(name="look", verdict="approve", pattern=Pattern(tool=("read_*",)))])
    >>> judge.judge(Act(kind="tool", tool="read_file")).word
    'approve'
    >>> judge.judge(Act(kind="tool", tool="shell"))
    Verdict(word='reject', rule=None, reason='no rule allows it', instead=None)
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [
            _Compiled(
                rule, matcher_of(_outline(rule)), [matcher_of(one) for one in _patterns(rule)]
            )
            for rule in rules
        ]
        self._naming = [one for rule in rules for one in _naming(rule)]
        self._remembered = functools.lru_cache(maxsize=_TOOLS)(self._fitting)
        self._dotted = {name for rule in rules for name in _argument_names(rule) if "." in name}
        # One more than is looked back at: an execution does not see its own proposal.
        most = max((rule.within for rule in rules), default=0) + 1
        self._before: deque[_Passed] = deque(maxlen=most)

    def judge(self, act: Act, *, executed: bool = False) -> Verdict:
        """What the policy says of an act; what it lets through counts for later sequences."""
        verdict = self.verdict(act, executed=executed)
        if verdict.word in LET_THROUGH:
            self.let_through(act, verdict.instead, executed=executed)
        return verdict

    def let_through(self, act: Act, instead: Act | None = None, *, executed: bool = False) -> None:
        """Count an act for later sequences, as when an operator allowed what was escalated.

        `instead` is what a rule put in its place.
        """
        passed, own = instead or act, self._proposal(act) if executed else None
        if own is not None:
            self._before.remove(own)
            self._before.append(_Passed((*own.shapes, passed)))
        else:
            awaited = passed.kind == "tool" and not executed
            self._before.append(_Passed((passed,), call_key(passed) if awaited else None))

    def verdict(self, act: Act, *, executed: bool = False) -> Verdict:
        """What the policy says of an act; nothing is counted."""
        own = self._proposal(act) if executed else None
        for name in self._dotted:
            # The rule would read one of the two and the tool the other.
            if name in act.arguments and is_nested(act.arguments, name):
                reason = f"the argument {name!r} is given in two ways"
                return Verdict(word="reject", rule=None, reason=reason)
        # An agent chooses the names of tools: no long one is remembered.
        fitting = self._remembered if len(act.tool) <= _LONGEST else self._fitting
        rules, names = fitting(act.kind, act.tool)
        if odd := odd_argument(act.arguments, names):
            reason = f"some tools would take the argument {odd[:60]!r} for one that a rule names"
            return Verdict(word="reject", rule=None, reason=reason)
        for rule, _, matchers in rules:
            if matchers[-1](act) and self._preceded(rule.within, matchers[:-1], own):
                return _of(rule, act)
        return Verdict(word="reject", rule=None, reason="no rule allows it")

    def _fitting(self, kind: ActKind, tool: str) -> tuple[tuple[_Compiled, ...], frozenset[str]]:
        """The rules whose kind and tool fit, in their order, and the arguments that rules name."""
        act = Act(kind=kind, tool=tool)
        names = frozenset[str]().union(*(names for fits, names in self._naming if fits(act)))
        return tuple(one for one in self._rules if one.outline(act)), names

    def _preceded(self, within: int, matchers: Sequence[Matcher], own: _Passed | None) -> bool:
        """Whether acts that fit these came in this order among the last `within`, `own` aside."""
        waiting = deque(matchers)
        for passed in [one for one in self._before if one is not own][-within:] if waiting else ():
            if waiting and any(map(waiting[0], passed.shapes)):
                waiting.popleft()
        return not waiting

    def _proposal(self, act: Act) -> _Passed | None:
        """The earliest proposal that waits for this execution; None where there is none."""
        key = call_key(act) if act.kind == "tool" else None
        return next((one for one in self._before if key and one.waits_for == key), None)


def _patterns(rule: Rule) -> Sequence[Any]:
    return rule.sequence or (rule.pattern,)


def _outline(rule: Rule) -> Pattern:
    return _bare(_patterns(rule)[-1])


def _bare(pattern: Pattern) -> Pattern:
    """What fits whatever the pattern could fit, by kind and tool alone."""
    return Pattern(kind=pattern.kind, tool=pattern.tool)


def _naming(rule: Rule) -> Iterator[tuple[Matcher, frozenset[str]]]:
    """What each step of a rule may fit, and the arguments that are named there."""
    for pattern in _patterns(rule):
        yield matcher_of(_bare(pattern)), frozenset(name for name, _ in pattern.arguments)
    yield matcher_of(_outline(rule)), frozenset(name for name, _ in rule.set)


def _of(rule: Rule, act: Act) -> Verdict:
    reason = rule.reason or f"rule {rule.name!r}"
    if rule.verdict != "modify":
        return Verdict(word=rule.verdict, rule=rule.name, reason=reason)
    changed = msgspec.structs.replace(act, arguments=_with(act.arguments, dict(rule.set)))
    return Verdict(word="modify", rule=rule.name, reason=reason, instead=changed)


def _argument_names(rule: Rule) -> Iterator[str]:
    for pattern in _patterns(rule):
        yield from (name for name, _ in pattern.arguments)
    yield from (name for name, _ in rule.set)


def _with(
    arguments: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:  # Any: plain JSON values
    """The arguments with these in place: of that very name, or where the dots lead."""
    made = dict(arguments)
    for name, value in values.items():
        first, dot, rest = name.partition(".")
        if not dot or name in arguments:
            made[name] = value
        else:
            inner = made.get(first)
            made[first] = _with(inner if isinstance(inner, Mapping) else {}, {rest: value})
    return made
