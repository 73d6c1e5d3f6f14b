"""The first rule that fits decides, and what no rule names is rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offswitch.guard.policy.act import Act
from offswitch.guard.policy.judging import Judge
from offswitch.guard.policy.matching import matcher_of
from offswitch.guard.policy.policy import Pattern, Rule
from offswitch.guard.policy.read import parse_policy
from offswitch.guard.policy.verdict import WORDS, Verdict


def judge(rules: str) -> Judge:
    text = "version: 1\nrules:\n" + "".join(f"  - {line}\n" for line in rules.strip().splitlines())
    return Judge(parse_policy(text, folder=Path("/")).rules)


def call(tool: str, **arguments: Any) -> Act:
    return Act(kind="tool", tool=tool, arguments=arguments)


def request(host: str, method: str = "GET") -> Act:
    return Act(kind="http", host=host, method=method, path="/")


ACTS = st.builds(
    Act,
    kind=st.sampled_from(["tool", "http", "file", "exec"]),
    tool=st.text(max_size=8),
    arguments=st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=8), max_size=3),
    host=st.text(max_size=8),
    method=st.text(max_size=5),
    path=st.text(max_size=8),
)


@given(ACTS)
def test_without_rules_everything_is_rejected(act: Act) -> None:
    assert Judge([]).judge(act) == Verdict(word="reject", rule=None, reason="no rule allows it")


@given(ACTS)
def test_an_act_that_lacks_what_a_rule_names_never_fits_it(act: Act) -> None:
    found = judge('{name: a, tool: "*", host: "*", path: "*", verdict: approve}').judge(act)
    assert (found.word == "approve") == bool(act.tool and act.host.strip(".") and act.path)


@pytest.mark.parametrize("word", [word for word in WORDS if word != "modify"])
def test_each_word_comes_with_its_rule_and_reason(word: str) -> None:
    found = judge(f"{{name: x, tool: shell, verdict: {word}, reason: because}}").judge(
        call("shell")
    )
    assert found == Verdict(word=word, rule="x", reason="because")  # type: ignore[arg-type]


def test_the_first_rule_that_fits_decides() -> None:
    rules = (
        "{name: never, tool: shell, verdict: reject}\n{name: others, tool: '*', verdict: approve}"
    )
    assert judge(rules).judge(call("shell")).rule == "never"
    assert judge(rules).judge(call("read")).rule == "others"


PATTERNS = st.builds(
    Pattern,
    kind=st.sampled_from([None, "tool", "http"]),
    tool=st.lists(st.sampled_from(["a*", "?b", "[ab]c", "*", "ab"]), max_size=2).map(tuple),
    path=st.sampled_from([(), ("/x*",)]),
)
FEW = st.builds(
    Act,
    kind=st.sampled_from(["tool", "http"]),
    tool=st.text("abc", max_size=3) | st.just("a" * 300),
    path=st.sampled_from(["", "/x", "/y"]),
)


@given(st.lists(PATTERNS, max_size=6), st.lists(FEW, min_size=1, max_size=8))
def test_what_is_remembered_of_a_tool_changes_no_verdict(
    patterns: list[Pattern], acts: list[Act]
) -> None:
    judged = Judge(
        [Rule(name=str(i), verdict="approve", pattern=one) for i, one in enumerate(patterns)]
    )
    for act in acts:
        first = next((i for i, one in enumerate(patterns) if matcher_of(one)(act)), None)
        assert judged.verdict(act).rule == (None if first is None else str(first))


def test_modify_lets_the_changed_act_through() -> None:
    found = judge("{name: m, tool: pay, verdict: modify, set: {limit: 5}}").judge(
        call("pay", limit=900, to="me")
    )
    assert found.instead == call("pay", limit=5, to="me")


def test_an_argument_given_in_two_ways_is_refused_whatever_a_rule_would_read() -> None:
    """A rule would read the plain name, and the tool where the dots lead."""
    asked = Act(kind="tool", tool="t", arguments={"o.cmd": "ls", "o": {"cmd": "rm -rf /"}})
    allow = "{name: a, tool: t, arguments: {o.cmd: ls}, verdict: approve}"
    refuse = "{name: n, tool: t, arguments: {o.cmd: 'rm *'}, verdict: terminate}"
    others = "{name: others, tool: '*', verdict: approve}"
    for rules in (allow, f"{refuse}\n{others}"):
        found = judge(rules).judge(asked)
        assert (found.word, found.rule) == ("reject", None)
        assert "two ways" in found.reason


def test_modify_sets_an_argument_where_a_rule_would_look_for_it() -> None:
    judged = judge("{name: m, tool: t, verdict: modify, set: {o.depth: 1}}")
    nested = Act(kind="tool", tool="t", arguments={"o": {"depth": 99, "all": True}})
    plain = Act(kind="tool", tool="t", arguments={"o.depth": 99})
    other = Act(kind="tool", tool="t", arguments={"o": "text"})
    found = [judged.judge(one).instead for one in (nested, plain, other)]
    assert [one.arguments for one in found if one] == [
        {"o": {"depth": 1, "all": True}}, {"o.depth": 1}, {"o": {"depth": 1}},
    ]  # fmt: skip
    assert nested.arguments == {"o": {"depth": 99, "all": True}}, "the act itself is unchanged"


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("pypi.org", True),
        ("PyPI.org.", True),
        ("files.pythonhosted.org", True),
        ("pypi.org.evil.com", False),
        ("evilpypi.org", False),
        ("pythonhosted.org", False),
        ("", False),
    ],
)
def test_a_host_is_matched_whole_and_without_regard_to_case(host: str, fits: bool) -> None:
    rules = '{name: a, host: [pypi.org, "*.pythonhosted.org"], verdict: approve}'
    assert (judge(rules).judge(request(host)).word == "approve") is fits


@pytest.mark.parametrize(
    ("pattern", "arguments", "fits"),
    [
        (r"{command: {regex: 'rm\s+-rf'}}", {"command": "sudo rm  -rf /"}, True),
        (r"{command: {regex: 'rm\s+-rf'}}", {"command": "ls"}, False),
        ("{command: 'git *'}", {"command": "git status"}, True),
        ("{command: 'git *'}", {"command": "x; git status"}, False),
        ("{command: 'git *'}", {"command": "git status\nrm -rf /"}, True),
        ("{amount: {at_most: 10}}", {"amount": 10}, True),
        ("{amount: {at_most: 10}}", {"amount": 10.5}, False),
        ("{amount: {at_most: 10}}", {"amount": "3"}, False),
        ("{amount: {at_most: 10}}", {"amount": True}, False),
        ("{amount: {at_most: 10}}", {}, False),
        ("{force: {absent: true}}", {}, True),
        ("{force: {absent: true}}", {"force": None}, False),
        ("{force: {equals: true}}", {"force": 1}, False),
        ("{force: true}", {"force": True}, True),
        ("{to.address: 'a@*'}", {"to": {"address": "a@b.c"}}, True),
        ("{to.address: 'a@*'}", {"to": "a@b.c"}, False),
        ("{list: '*secret*'}", {"list": ["x", "secret"]}, True),
    ],
)
def test_an_argument_must_fit_every_part_of_its_pattern(
    pattern: str, arguments: dict[str, Any], fits: bool
) -> None:
    rules = f"{{name: a, tool: t, arguments: {pattern}, verdict: terminate}}"
    assert (judge(rules).judge(call("t", **arguments)).word == "terminate") is fits


@pytest.mark.parametrize(
    ("rules", "arguments", "odd"),
    [
        ("{name: a, tool: t, arguments: {path: '/etc/*'}, verdict: terminate}",
         {"Path": "/etc/shadow"}, "Path"),
        ("{name: a, tool: t, arguments: {force: {absent: true}}, verdict: approve}",
         {"FORCE": True}, "FORCE"),
        ("{name: a, tool: t, arguments: {to.address: 'a@*'}, verdict: terminate}",
         {"to": {"Address": "a@b.c"}}, "to.Address"),
        ("{name: a, tool: t, arguments: {to.address: 'a@*'}, verdict: terminate}",
         {"To": {"address": "a@b.c"}}, "To"),
        ("{name: a, tool: t, set: {dry_run: true}, verdict: modify}", {"DRY_run": 0}, "DRY_run"),
        ("{name: a, sequence: [{tool: t, arguments: {kelvin: '*'}}, {host: '*'}], "
         "verdict: terminate}", {"\u212aelvin": 1}, "\u212aelvin"),
    ],
)  # fmt: skip
def test_an_argument_that_some_tools_take_for_one_that_a_rule_names_is_refused(
    rules: str, arguments: dict[str, Any], odd: str
) -> None:
    judged = judge(f'{rules}\n{{name: any, tool: "*", verdict: approve}}')
    found = judged.judge(call("t", **arguments))
    assert (found.word, found.rule) == ("reject", None)
    assert f"the argument {odd!r}" in found.reason
    assert judged.judge(call("u", **arguments)).word == "approve", "no rule names it of this tool"


def test_an_argument_may_differ_by_case_from_one_of_another_place_or_be_named_both_ways() -> None:
    judged = judge(
        "{name: a, tool: t, arguments: {path: '/etc/*', Mode: x, to.address: y}, verdict: reject}\n"
        "{name: b, tool: t, arguments: {Path: '/etc/*'}, verdict: terminate}\n"
        '{name: any, tool: "*", verdict: approve}'
    )
    assert judged.judge(call("t", Path="/etc/x")).word == "terminate"
    for arguments in (
        {"Path": "/tmp", "path": "/tmp"},
        {"x": {"PATH": "/etc/x"}},
        {"Address": "y"},
    ):
        assert judged.judge(call("t", **arguments)).word == "approve"


SEQUENCE = """
{name: leak, sequence: [{tool: read_secret}, {host: "*"}], within: 3, verdict: terminate}
{name: any-tool, tool: "*", verdict: approve}
{name: any-host, host: "*", verdict: approve}
"""


def test_a_sequence_fires_only_in_its_order() -> None:
    judged = judge(SEQUENCE)
    assert judged.judge(request("a.b")).word == "approve"
    assert judged.judge(call("read_secret")).word == "approve"
    assert judged.judge(call("look")).word == "approve"
    assert judged.judge(request("a.b")).word == "terminate"


def test_a_sequence_looks_back_no_further_than_it_says() -> None:
    judged = judge(SEQUENCE)
    judged.judge(call("read_secret"))
    for _ in range(3):
        judged.judge(call("look"))
    assert judged.judge(request("a.b")).word == "approve"


def test_an_act_that_was_refused_is_no_step_of_a_sequence() -> None:
    judged = judge("{name: never, tool: read_secret, verdict: reject}\n" + SEQUENCE.strip())
    assert judged.judge(call("read_secret")).word == "reject"
    assert judged.judge(request("a.b")).word == "approve"


def test_of_an_act_that_was_changed_a_sequence_sees_what_was_let_through() -> None:
    judged = judge(
        "{name: twice, sequence: [{tool: get, arguments: {n: {equals: 1}}}, {tool: look}],"
        " within: 3, verdict: reject}\n"
        "{name: less, tool: get, verdict: modify, set: {n: 1}}\n"
        "{name: any, tool: look, verdict: approve}"
    )
    assert judged.judge(call("look")).word == "approve"
    assert judged.judge(call("get", n=9)).word == "modify"
    assert judged.judge(call("look")).word == "reject"


def both(judged: Judge, act: Act) -> list[str]:
    """The words for a call that a model proposes and the agent then executes."""
    return [judged.judge(act, executed=executed).word for executed in (False, True)]


def test_a_call_that_is_proposed_and_then_executed_counts_once() -> None:
    judged = judge(SEQUENCE)
    both(judged, call("read_secret"))
    for n in range(2):
        both(judged, call("look", n=n))
    assert judged.judge(request("a.b")).word == "terminate", "one of the last three acts"
    both(judged, call("look", n=2))
    both(judged, call("look", n=2))
    assert judged.judge(request("a.b")).word == "approve"


def test_an_execution_does_not_follow_its_own_proposal_and_uses_up_one() -> None:
    judged = judge(
        "{name: twice, sequence: [{tool: pay}, {tool: pay}], within: 1, verdict: reject}\n"
        "{name: any, tool: '*', verdict: approve}"
    )
    assert both(judged, call("pay", to="me")) == ["approve", "approve"]
    assert judged.judge(call("pay", to="me"), executed=True).word == "reject"


def test_a_call_counts_where_it_is_executed() -> None:
    judged = judge(SEQUENCE)
    judged.judge(call("read_secret"))
    for n in range(3):
        both(judged, call("look", n=n))
    judged.judge(call("read_secret"), executed=True)
    assert judged.judge(request("a.b")).word == "terminate"


@pytest.mark.parametrize("step", ["tool: mcp__vault__read", "tool: read, path: mcp/vault"])
def test_a_step_fits_a_call_as_it_was_proposed_or_as_it_was_executed(step: str) -> None:
    judged = judge(
        f"{{name: s, sequence: [{{{step}}}, {{host: '*'}}], within: 1, verdict: terminate}}\n"
        "{name: any, tool: '*', verdict: approve}"
    )
    judged.judge(call("mcp__vault__read", name="key"))
    executed = Act(kind="tool", tool="read", arguments={"name": "key"}, path="mcp/vault")
    judged.judge(executed, executed=True)
    assert judged.judge(request("a.b")).word == "terminate"


def test_what_a_rule_put_in_a_proposals_place_is_known_when_it_is_executed() -> None:
    judged = judge(
        "{name: twice, sequence: [{tool: get}, {tool: get}], within: 9, verdict: reject}\n"
        "{name: less, tool: get, verdict: modify, set: {n: 1}}"
    )
    assert judged.judge(call("get", n=9)).word == "modify"
    assert judged.judge(call("get", n=1), executed=True).word == "modify"
    assert judged.judge(call("get", n=9)).word == "reject"


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=30))
def test_a_sequence_agrees_with_a_search_for_a_subsequence(tools: list[str]) -> None:
    judged = judge(
        "{name: s, sequence: [{tool: a}, {tool: b}, {tool: c}], within: 8, verdict: escalate}\n"
        "{name: any, tool: '*', verdict: approve}"
    )
    through: list[str] = []
    for tool in tools:
        rest = iter(through[-8:])
        wanted = tool == "c" and all(any(one == step for one in rest) for step in "ab")
        assert (judged.judge(call(tool)).word == "escalate") is wanted
        if not wanted:
            through.append(tool)
