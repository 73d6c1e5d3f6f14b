"""A policy file is read completely, and every problem in it is told at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offswitch.errors import PolicyError
from offswitch.guard.policy.policy import Policy
from offswitch.guard.policy.quantities import bytes_of, seconds_of
from offswitch.guard.policy.read import parse_policy, read_policy

WHOLE = """
version: 1
name: my-agent
jail:
  tier: 2
  workspace: ./work
  read: [/usr]
  environment: {LANG: C.UTF-8}
  limits: {memory: 2GiB, processes: 300, file: 128MiB, tmp: 64MiB, cpu: 1h, wall: 2h}
  waive: [memfd]
watchdog: {heartbeat: 20ms, timeout: 1s, lease: 2d}
rules:
  - {name: read, tool: "read_*", verdict: approve}
  - name: leak
    sequence: [{tool: read_secret}, {host: "*"}]
    within: 5
    verdict: terminate
models:
  - {name: main, kind: anthropic, upstream: "https://api.anthropic.com/", key_variable: KEY}
resources: {tokens: {need: 1, soft: 2, hard: 3}}
goal: {files: goal.md, canary: false}
ladder: {hoarding: throttle}
own_programs: [git, /opt/tools/*]
shutdown: {notice: 1s, grace: 2s, deadline: 4s}
ledger: {sign_every: 50, sync: each, anchor: ../heads}
"""


def problems(text: str) -> str:
    with pytest.raises(PolicyError) as raised:
        parse_policy(text, folder=Path("/home/x"))
    return str(raised.value)


def parse(text: str) -> Policy:
    return parse_policy(text, folder=Path("/home/x"))


def test_every_part_of_a_whole_policy_is_read() -> None:
    policy = parse(WHOLE)
    assert policy.name == "my-agent"
    assert (policy.jail.tier, policy.jail.limits.memory) == (2, 2 * 2**30)
    assert policy.jail.workspace == "/home/x/work"
    assert policy.jail.waive == ("memfd",)
    assert policy.own_programs == ("git", "/opt/tools/*")
    assert policy.watchdog.lease == 172800
    assert [rule.name for rule in policy.rules] == ["read", "leak"]
    assert policy.models[0].upstream == "https://api.anthropic.com"
    assert policy.resources[0][1].hard == 3
    assert policy.goal.files == ("/home/x/goal.md",)
    assert policy.ladder == (("hoarding", "throttle"),)
    assert policy.shutdown.deadline == 4
    assert policy.ledger.sync == "each"
    assert len(policy.sha256) == 64


def test_tool_servers_are_programs_beside_the_policy_or_addresses() -> None:
    text = "version: 1\nrules: []\nmcp:\n"
    text += "  - {name: a, command: [./t.py, -v]}\n  - {name: b, command: [npx, t]}\n"
    found = parse(text + "  - {name: c, url: 'https://t.test/mcp', key_variable: K}\n").mcp
    assert [one.command for one in found] == [("/home/x/t.py", "-v"), ("npx", "t"), ()]
    assert (found[2].url, found[2].key_variable) == ("https://t.test/mcp", "K")


def test_null_switches_the_proofs_of_the_kill_switch_off_and_nothing_leaves_them_on() -> None:
    text = "version: 1\nrules: []\n"
    assert parse(text).watchdog.canary == 3600.0
    assert parse(text + "watchdog: {canary: null}").watchdog.canary is None
    assert parse(text + "watchdog: {canary: 5min}").watchdog.canary == 300.0


def test_only_version_and_rules_are_needed() -> None:
    assert parse("version: 1\nrules: []").rules == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds nothing"),
        ("[]", "expected a mapping"),
        ("rules: []", "version: expected 1"),
        ("version: 2\nrules: []", "version: expected 1"),
        ("version: 1", "rules: missing"),
        ("version: 1\nrules: {}", "line 2: rules: got a mapping, expected a list"),
        ("version: 1\nrules: []\nrulse: []", "line 3: rulse: .*'rules'"),
        ("version: 1\nrules: []\nname: a\nname: b", "line 4: name: given a second time"),
        ("version: 1\nrules: []\nname: [", "is not YAML"),
        ("version: 1\nrules: &a []\nname: *a", "alias"),
        ("version: 1\nrules: []\nname: !!python/object:os.system x", "tag"),
        (
            "version: 1\nrules: []\nwatchdog: {timeout: fast}",
            "line 3: watchdog.timeout: got",
        ),
        ("version: 1\nrules: []\nwatchdog: {timeout: 5}", "a duration such as"),
        ("version: 1\nrules: []\njail: {tier: 4, attested: ' '}", "jail.attested: got ' ', exp"),
        (
            "version: 1\nrules: []\nmcp: [{url: 'http://x:99999'}]",
            r"line 3: mcp\[0\].url: got .*65535",
        ),
        ("version: 1\nrules: []\nmcp: [{url: 'http://[x'}]", r"line 3: mcp\[0\].url: got"),
        (
            "version: 1\nrules: []\nmcp: [{url: 'http://a:b@x', key_variable: K}]",
            "'tools' holds a user's name",
        ),
        (
            "version: 1\nrules: []\nmcp: [{name: a-b, url: 'http://x'}, {name: A_b, url: 'http://x'}]",
            "two MCP servers would be MCP_A_B to the agent",
        ),
        (f"version: 1\nrules: []\nmcp: [{{name: {'a' * 41}, url: 'http://x'}}]", "40 at most"),
        ("version: 1\nrules: []\nwatchdog: {timeout: 60ms}", "twice the heartbeat"),
        ("version: 1\nrules: []\nshutdown: {deadline: 1s}", "notice and grace together"),
        ("version: 1\nrules: []\nledger: {sync: never-ever}", "one of each, batch, never"),
        ("version: 1\nrules: []\nledger: {anchor: work/a}", "anchor: .* lies in the workspace"),
        ("version: 1\nrules: []\ngoal: {tools_sha256: abc}", "64 hex digits"),
        ("version: 1\nrules: []\nladder: {x: explode}", "observe, ask, throttle, freeze, kill"),
        ("version: 1\nrules: []\nresources: {t: {need: 3, soft: 2}}", "need <= soft <= hard"),
        ("version: 1\nrules: []\nresources: {tokns: {hard: 2}}", "3: resources.tokns: .*'tokens'"),
        ("version: 1\nrules: []\nmodels: [{upstream: ftp://x}]", "http"),
        ("version: 1\nrules: []\nladder: {decoys: kill}", "line 3: ladder.decoys: .*'decoy'"),
        ("version: 1\nrules: []\nwatchdog: {canary: 1ms}", "watchdog.canary: .*at least 1s"),
        ("version: 1\nrules: []\nmcp: [{name: a}]", "line 3: .* has neither a command nor a url"),
        ("version: 1\nrules: []\nmcp: [{command: x, url: http://y}]", "both a command and a url"),
        ("version: 1\nrules: []\nmcp: [{url: y}]", r"line 3: mcp\[0\].url: got .y."),
        ("version: 1\nrules: []\nmcp: [{name: a/b, command: x}]", "cannot be part of a path"),
        ("version: 1\nrules: []\nmcp: [{command: x}, {command: y}]", "two MCP servers"),
        (
            "version: 1\nrules: []\nmodels: []\nmcp: [{command: x}, {command: y}]",
            "line 4: two MCP servers",
        ),
        ("version: 1\nrules: []\nmcp: [{command: x, comand: y}]", "'command'"),
        ("version: 1\nrules: []\nmcp: [{command: x, key_variable: K}]", "none of the guard's"),
        ("version: 1\nrules: []\nmodels: [{name: mcp, upstream: http://x}]", "named 'mcp'"),
        ("version: 1\nrules: [{tool: x}]", "verdict missing"),
        ("version: 1\nrules: [{tool: x, verdict: allow}]", "one of approve"),
        ("version: 1\nrules: [{verdict: approve}]", "would approve every act"),
        ("version: 1\nrules: [{tool: x, verdict: modify}]", "modifies nothing"),
        ("version: 1\nrules: [{tool: x, set: {a: 1}, verdict: reject}]", "not modify"),
        (
            "version: 1\nrules: [{tool: x, arguments: {a: {regex: '('}}, verdict: reject}]",
            "regular",
        ),
        ("version: 1\nrules: [{tool: x, arguments: {a: {}}, verdict: reject}]", "glob, regex"),
        ("version: 1\nrules: [{tool: x, argumets: {}, verdict: reject}]", "'arguments'"),
        ("version: 1\nrules: [{sequence: [{tool: x}], verdict: reject}]", "one step"),
        (
            "version: 1\nrules: [{tool: y, sequence: [{tool: x}, {tool: y}], verdict: reject}]",
            "a sequence and a pattern",
        ),
        (
            "version: 1\nrules: [{name: a, verdict: reject}, {name: a, verdict: reject}]",
            "names tell rules apart",
        ),
        (
            "version: 1\nrules: []\nown_programs: [git, '*']",
            "3: own_programs: '\\*' would take",
        ),
        ("version: 1\nrules: []\nown_programs: [bin/git]", "a name such as git, or a whole path"),
        ("version: 1\nrules: []\nown_programs: [3]", "a text, or a list of texts"),
        ("version: 1\nrules: []\nown_program: git", "line 3: own_program: .*'own_programs'"),
        ("version: 1\nrules: []\njail: {limits: {memory: 3}}", "a size such as"),
        ("version: 1\nrules: []\njail: {tier: 9}", "jail.tier"),
        ("version: 1\nrules: [" + "[" * 3000, "is not YAML"),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(text: str, told: str) -> None:
    assert re.search(told, problems(text))


def test_every_problem_is_told_at_once() -> None:
    text = problems(
        "version: 3\nrules: [{tool: x}]\nwatchdog: {timeout: soon}\nledger: {sing_every: 3}"
    )
    for told in ("version", "verdict missing", "watchdog.timeout", "'sign_every'"):
        assert told in text


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="No such file"):
        read_policy(tmp_path / "none.yaml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="UTF-8"):
        read_policy(tmp_path / "policy.yaml")


@given(st.integers(0, 10**9))
def test_durations_and_sizes_are_what_they_spell(count: int) -> None:
    assert seconds_of(f"{count}s") == count
    assert bytes_of(f"{count} KiB") == count * 1024


@pytest.mark.parametrize("path", ["/etc/passwd", "../last", "a//b", "a/", "3", "./last"])
def test_what_a_notice_asks_for_lies_below_the_workspace(path):
    with pytest.raises(PolicyError, match=r"shutdown\.checkpoint: .*a path below the workspace"):
        parse_policy(f"version: 1\nrules: []\nshutdown: {{checkpoint: {path}}}", folder=Path("/"))


@pytest.mark.parametrize("field", ["workspace: {}", "read: [{}]", "environment: {{A: {}}}"])
def test_a_nul_is_told_wherever_it_stands_and_once(field: str) -> None:
    text = "version: 1\nrules: []\njail:\n  " + field.format('"a\\0b"')
    with pytest.raises(PolicyError, match=r"1 problem\n  - line 4: jail\..*'a\\x00b'.* no NUL"):
        parse_policy(text, folder=Path("/"))


def test_a_key_that_a_terminal_would_obey_is_told_in_plain_letters() -> None:
    with pytest.raises(PolicyError) as told:
        parse_policy('version: 1\nrules: []\njail: {"a\\e[2Jb\\0": 1}', folder=Path("/"))
    assert r"line 3: jail.a\x1b[2Jb\x00: unknown field" in str(told.value)
    assert str(told.value).replace("\n", "").isprintable()


def test_a_word_and_a_checkpoint_in_one_file_are_refused():
    with pytest.raises(PolicyError, match="is the report's file too"):
        parse_policy("version: 1\nrules: []\nshutdown: {checkpoint: .stopped}", folder=Path("/"))
