"""A policy file into the types, every problem at once."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import get_args

import msgspec

from offswitch.errors import PolicyError, nearest_name, problems_text
from offswitch.guard.policy.act import ActKind
from offswitch.guard.policy.detectors import NAMES
from offswitch.guard.policy.fields import Fields, texts_of
from offswitch.guard.policy.jail_section import jail_policy
from offswitch.guard.policy.own_programs import own_programs
from offswitch.guard.policy.policy import (
    ArgumentPattern,
    GoalPolicy,
    LedgerPolicy,
    Level,
    Pattern,
    Policy,
    Rule,
    ShutdownPolicy,
    WatchdogPolicy,
)
from offswitch.guard.policy.resources_section import needs
from offswitch.guard.policy.verdict import WORDS
from offswitch.guard.policy.ways_section import mcp_servers, model_routes, route_problems
from offswitch.guard.policy.yaml_nodes import Node, Problems, parsed

__all__ = ["parse_policy", "read_policy"]

VERSION = 1
_PATTERN_FIELDS = ("kind", "tool", "arguments", "host", "method", "path")
_HEX = re.compile(r"[0-9a-f]{64}")
MOST_BYTES = 1 << 20
"""Longest policy file."""


def read_policy(path: str | os.PathLike[str]) -> Policy:
    """The policy in a file. Relative paths in it are taken from the file's folder.

    Raises:
        PolicyError: the file cannot be read, or it lists every value that does not fit, with its
            line.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8")
    except OSError as problem:
        raise PolicyError(
            f"cannot read the policy {path}: {problem.strerror}. Give a YAML file; "
            "`offswitch guard init` writes one to start from."
        ) from problem
    except UnicodeDecodeError as problem:
        raise PolicyError(f"the policy {path} is not UTF-8: {problem}.") from problem
    if len(content) > MOST_BYTES:
        raise PolicyError(f"the policy {path} is longer than {MOST_BYTES} bytes: no policy is.")
    return parse_policy(text, folder=Path(path).resolve().parent, name=str(path))


def parse_policy(text: str, *, folder: Path, name: str = "policy") -> Policy:
    """The policy that a text spells.

    >>> parse_policy("version: 1\\nrules: []", folder=Path("/")).watchdog.timeout
    0.25

    Raises:
        PolicyError: lists every value that does not fit, with its line.
    """
    problems: Problems = []
    root = parsed(text, problems)
    policy = _policy(root, folder, problems) if root is not None else None
    if policy is None or problems:
        raise PolicyError(problems_text(f"policy {name}", problems))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return msgspec.structs.replace(policy, sha256=digest)


def _policy(root: Node, folder: Path, problems: Problems) -> Policy:
    fields = Fields(root, problems)
    if fields.integer("version", None, low=1) != VERSION:
        problems.append(f"line {root.line}: version: expected {VERSION}, the only one there is")
    if fields.node is not None and fields.take("rules") is None:
        problems.append(
            "rules: missing; give a list, [] to reject everything (no match is a rejection)"
        )
    policy = Policy(
        name=fields.text("name", "agent"),
        jail=jail_policy(_section(fields, "jail", problems), folder, problems),
        watchdog=_watchdog(_section(fields, "watchdog", problems), problems),
        rules=_rules(fields, problems),
        models=model_routes(fields, problems),
        mcp=mcp_servers(fields, folder, problems),
        resources=needs(fields, problems),
        goal=_goal(_section(fields, "goal", problems), folder, problems),
        ladder=_ladder(fields, problems),
        own_programs=own_programs(fields, problems),
        shutdown=_shutdown(_section(fields, "shutdown", problems), problems),
        ledger=_ledger(_section(fields, "ledger", problems), folder),
    )
    for name, found in (
        ("models", route_problems(policy.models, ())),
        ("mcp", route_problems((), policy.mcp)),
    ):
        section = fields.take(name) or root
        problems += [f"line {section.line}: {problem}" for problem in found]
    if (kept := policy.ledger.anchor) and Path(kept).resolve().is_relative_to(
        Path(policy.jail.workspace).resolve()
    ):
        problems.append(
            f"line {root.line}: ledger.anchor: got {kept!r}, which lies in the workspace, expected "
            "a folder out of the agent's reach"
        )
    fields.finish()
    return policy


def _section(fields: Fields, name: str, problems: Problems) -> Fields:
    return Fields(fields.take(name), problems)


def _watchdog(fields: Fields, problems: Problems) -> WatchdogPolicy:
    default = WatchdogPolicy()
    found = WatchdogPolicy(
        heartbeat=fields.seconds("heartbeat", default.heartbeat, low=0.005),
        timeout=fields.seconds("timeout", default.timeout, low=0.02),
        lease=fields.seconds("lease", default.lease, low=1.0),
        canary=_canary(fields, default.canary),
    )
    if found.timeout < 2 * found.heartbeat and fields.node is not None:
        problems.append(
            f"line {fields.node.line}: watchdog.timeout: got {found.timeout:g}s, expected at "
            f"least twice the heartbeat of {found.heartbeat:g}s"
        )
    fields.finish()
    return found


def _canary(fields: Fields, default: float | None) -> float | None:
    """A duration; null, which elsewhere is the default, switches the proofs off here."""
    node = fields.node.value.get("canary") if fields.node is not None else None
    given = fields.seconds("canary", default, low=1.0)
    return None if node is not None and node.value is None else given


def _shutdown(fields: Fields, problems: Problems) -> ShutdownPolicy:
    default = ShutdownPolicy()
    found = ShutdownPolicy(
        notice=fields.seconds("notice", default.notice),
        grace=fields.seconds("grace", default.grace),
        deadline=fields.seconds("deadline", default.deadline),
        report=fields.inside("report", default.report),
        checkpoint=fields.inside("checkpoint", default.checkpoint),
    )
    if found.report == found.checkpoint and fields.node is not None:
        problems.append(
            f"line {fields.node.line}: shutdown.checkpoint: is the report's file too; give another"
        )
    if found.deadline < found.notice + found.grace and fields.node is not None:
        problems.append(
            f"line {fields.node.line}: shutdown.deadline: got {found.deadline:g}s, expected at "
            f"least notice and grace together, {found.notice + found.grace:g}s"
        )
    fields.finish()
    return found


def _ledger(fields: Fields, folder: Path) -> LedgerPolicy:
    default = LedgerPolicy()
    anchor = fields.text("anchor", None, expected="a folder out of the agent's reach")
    found = LedgerPolicy(
        sign_every=fields.integer("sign_every", default.sign_every, low=2),
        sync=fields.choice("sync", ("each", "batch", "never"), default.sync),
        anchor=None if anchor is None else str(folder / anchor),
        limit=fields.size("limit", default.limit, low=4096),
    )
    fields.finish()
    return found


def _goal(fields: Fields, folder: Path, problems: Problems) -> GoalPolicy:
    found = GoalPolicy(
        files=tuple(str(folder / one) for one in fields.texts("files")),
        system_prompt_sha256=_hash(fields, "system_prompt_sha256", problems),
        tools_sha256=_hash(fields, "tools_sha256", problems),
        canary=fields.flag("canary", True),
    )
    fields.finish()
    return found


def _hash(fields: Fields, name: str, problems: Problems) -> str | None:
    node = fields.take(name)
    if node is None:
        return None
    if not isinstance(node.value, str) or not _HEX.fullmatch(node.value.lower()):
        problems.append(node.problem("64 hex digits, or null to pin the first that is sent"))
        return None
    return node.value.lower()


def _ladder(fields: Fields, problems: Problems) -> tuple[tuple[str, Level], ...]:
    levels = get_args(Level)
    found: list[tuple[str, Level]] = []
    for name, node in fields.entries("ladder"):
        if name not in NAMES:
            hint = nearest_name(name, NAMES, kind="detector", lister="docs/contain.md")
            problems.append(f"line {node.line}: {node.where}: {hint}")
        if node.value in levels:
            found.append((name, node.value))
        else:
            problems.append(node.problem("one of " + ", ".join(levels)))
    return tuple(found)


def _rules(fields: Fields, problems: Problems) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    named: dict[str, int] = {}
    for number, node in enumerate(fields.items("rules"), start=1):
        rule = _rule(Fields(node, problems), f"rule-{number}", problems)
        if rule.name in named:
            problems.append(
                f"line {node.line}: {node.where}: named {rule.name!r} like the rule in line "
                f"{named[rule.name]}; names tell rules apart in the ledger"
            )
        named.setdefault(rule.name, node.line)
        rules.append(rule)
    return tuple(rules)


def _rule(fields: Fields, default_name: str, problems: Problems) -> Rule:
    node = fields.node
    verdict_node = fields.take("verdict")
    verdict = fields.choice("verdict", WORDS, "reject")
    if node is not None and verdict_node is None:
        problems.append(f"line {node.line}: {node.where}: verdict missing, one of "
                        + ", ".join(WORDS))  # fmt: skip
    sequence = tuple(_pattern(Fields(one, problems), problems) for one in fields.items("sequence"))
    rule = Rule(
        name=fields.text("name", default_name),
        verdict=verdict,
        pattern=_pattern(fields, problems, alone=False),
        sequence=sequence,
        within=fields.integer("within", 20, low=1, high=10_000),
        set=tuple((key, one.plain) for key, one in fields.entries("set")),
        reason=fields.text("reason", ""),
    )
    if node is not None:
        problems += [f"line {node.line}: {node.where}: {one}" for one in _rule_problems(rule)]
    fields.finish()
    return rule


def _rule_problems(rule: Rule) -> list[str]:
    problems: list[str] = []
    if rule.sequence and rule.pattern != Pattern():
        problems.append("has a sequence and a pattern; put the pattern into the sequence, last")
    if rule.sequence and len(rule.sequence) < 2:
        problems.append("its sequence has one step; give at least two, or a pattern alone")
    if rule.verdict in ("approve", "modify") and not rule.sequence and rule.pattern == Pattern():
        problems.append(f'would {rule.verdict} every act; say which, such as tool: "*"')
    if rule.verdict == "modify" and not rule.set:
        problems.append("modifies nothing; give `set: {argument: value}`")
    if rule.verdict != "modify" and rule.set:
        problems.append(f"sets arguments, but its verdict is {rule.verdict}, not modify")
    return problems


def _pattern(fields: Fields, problems: Problems, *, alone: bool = True) -> Pattern:
    kinds: tuple[ActKind, ...] = get_args(ActKind)
    arguments = tuple(
        (name, _argument(node, problems)) for name, node in fields.entries("arguments")
    )
    pattern = Pattern(
        kind=fields.choice("kind", (*kinds, None), None),
        tool=fields.texts("tool"),
        arguments=arguments,
        host=fields.texts("host"),
        method=fields.texts("method"),
        path=fields.texts("path"),
    )
    if alone:
        fields.finish()
    return pattern


def _argument(node: Node, problems: Problems) -> ArgumentPattern:
    if not isinstance(node.value, dict):
        if isinstance(node.value, str | list):
            return ArgumentPattern(glob=texts_of(node, problems))
        return ArgumentPattern(equals=node.value)
    fields = Fields(node, problems)
    found = ArgumentPattern(
        glob=fields.texts("glob"),
        regex=_regex(fields, problems),
        equals=_plain(fields, "equals"),
        at_most=fields.number("at_most", None, low=float("-inf")),
        absent=fields.flag("absent", False),
    )
    fields.finish()
    if found == ArgumentPattern():
        problems.append(node.problem("glob, regex, equals, at_most or absent"))
    return found


def _regex(fields: Fields, problems: Problems) -> str | None:
    node = fields.take("regex")
    if node is None:
        return None
    try:
        re.compile(node.value)
        return str(node.value)
    except (re.error, TypeError, RecursionError, OverflowError) as problem:
        problems.append(node.problem(f"a regular expression: {problem}"))
        return None


def _plain(fields: Fields, name: str) -> object:
    node = fields.take(name)
    return None if node is None else node.plain
