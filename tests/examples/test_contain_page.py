"""docs/contain.md names what the guard has: commands, fields, defaults, codes, alarms, metrics."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
import pytest
import yaml

from offswitch.audit.drills import drill_measurements
from offswitch.cli.guard import COMMANDS
from offswitch.cli.guard import run as run_command
from offswitch.cli.program import cli
from offswitch.guard.brake import SHARE
from offswitch.guard.drills.canary_kill import DAEMONS
from offswitch.guard.jail import tier as tiers
from offswitch.guard.jail.catalog import PROBES
from offswitch.guard.jail.settings import JailPolicy, Limits
from offswitch.guard.policy.detectors import NAMES
from offswitch.guard.policy.policy import (
    ArgumentPattern,
    GoalPolicy,
    LedgerPolicy,
    Level,
    McpServer,
    Need,
    Pattern,
    Policy,
    RoutePolicy,
    Rule,
    ShutdownPolicy,
    WatchdogPolicy,
)
from offswitch.guard.policy.quantities import bytes_of, seconds_of
from offswitch.guard.policy.read import parse_policy
from offswitch.guard.policy.verdict import WORDS
from offswitch.guard.proxy.link import THRESHOLDS
from offswitch.guard.proxy.reconcile import WINDOW_S
from offswitch.guard.proxy.settings import EVERY_S, PER_S, ProxySettings
from offswitch.guard.sensors.run_sensors import DETECTORS, detector_thresholds
from offswitch.guard.watch.metrics import FAMILIES

PAGE = (Path(__file__).parents[2] / "docs" / "contain.md").read_text(encoding="utf-8")
ONE_LINE = " ".join(PAGE.split())
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)
SHOWN = [block.partition("\n")[::2] for text in BLOCKS for block in text.split("$ ")[1:]]
"""(command line, what is printed) of every example."""
SECTIONS: dict[str, Any] = {
    "jail": JailPolicy, "jail.limits": Limits, "watchdog": WatchdogPolicy, "rules[]": Rule,
    "rules[].arguments.*": ArgumentPattern, "models[]": RoutePolicy, "mcp[]": McpServer,
    "resources.*": Need,
    "goal": GoalPolicy, "shutdown": ShutdownPolicy, "ledger": LedgerPolicy,
}  # fmt: skip
"""Where each type of the policy stands in the file."""


def table(first: str) -> dict[str, list[str]]:
    """The rows of the table whose head begins with `first`: first cell -> the others."""
    rows = PAGE.split(f"| {first} |")[1].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row[1:-1].split("|")] for row in rows]
    return {row[0].strip("`"): row[1:] for row in cells}


def fields() -> dict[str, Any]:
    """Every field that a policy file may have, and the default in the code."""
    found: dict[str, Any] = {"version": msgspec.NODEFAULT, "name": "agent", "ladder.*": None}
    found["own_programs"] = ()
    for place, kind in SECTIONS.items():
        for one in msgspec.structs.fields(kind):
            found[f"{place}.{one.name}"] = one.default
    for one in msgspec.structs.fields(Pattern):
        found[f"rules[].{one.name}"] = one.default
    del found["rules[].pattern"], found["jail.limits"]
    return found


def test_every_field_of_a_policy_is_in_the_table_and_no_other() -> None:
    assert set(table("field")) == set(fields())
    for section in msgspec.structs.fields(Policy):
        assert section.name == "sha256" or any(
            re.match(rf"{section.name}\b", name) for name in table("field")
        )


def test_every_default_in_the_table_is_the_codes() -> None:
    told = {"none": ((), "", {}, msgspec.NODEFAULT), "null": (None,), "false": (False,)}
    for name, default in fields().items():
        text = table("field")[name][0]
        if text in told:
            assert default in told[text], name
        elif isinstance(default, bool | str) or name == "jail.workspace":
            given = "work" if name == "jail.workspace" else str(default).lower()
            assert text == given or text.startswith("rule-1"), name
        elif isinstance(default, int | float):
            assert _value(text) == pytest.approx(default), name


def _value(text: str) -> float:
    for read in (float, bytes_of, seconds_of):
        try:
            return float(read(text))
        except ValueError:
            continue
    raise AssertionError(f"{text!r} is no number, size or duration")


def test_the_example_is_accepted_and_uses_every_field(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    parse_policy(text, folder=tmp_path)
    used = {
        re.sub(r"^(resources|ladder)\.[^.]+", r"\1.*", name)
        for name in _names(yaml.safe_load(text))
    }
    used = {re.sub(r"(arguments)\.[^.]+", r"\1.*", name) for name in used}
    assert set(fields()) - used == set()


def _names(value: Any, place: str = "") -> set[str]:
    if isinstance(value, dict):
        inner = [(f"{place}.{key}" if place else key, one) for key, one in value.items()]
    elif isinstance(value, list) and not place.endswith("sequence"):
        inner = [(f"{place}[]", one) for one in value if isinstance(one, dict)]
    else:
        inner = []
    return {place, *(name for key, one in inner for name in _names(one, key))}


def test_every_command_is_in_the_table_and_every_example_can_be_called() -> None:
    assert set(table("command")) == {f"offswitch guard {name}" for name in COMMANDS}
    for line, _ in SHOWN:
        words = shlex.split(line)
        assert words[:2] == ["offswitch", "guard"]
        group = cli.get_command(click.Context(cli), "guard")
        assert isinstance(group, click.Group)
        command = group.get_command(click.Context(group), words[2])
        assert command is not None
        command.make_parser(click.Context(command)).parse_args(words[3:])


def test_the_exit_codes_are_the_commands_own() -> None:
    rows = PAGE.split("| command | code |")[1].split("\n\n")[0]
    codes = set(map(int, re.findall(r"\| `run` \| (\d+) \|", rows)))
    names = ("UNPROVEN", "OUT_OF_TIME", "STOPPED", "INTERRUPTED")
    assert codes == {getattr(run_command, name) for name in names}


def test_the_tiers_verdicts_and_probes_are_the_codes() -> None:
    assert [row[0] for row in table("tier").values()] == list(tiers._NAMES)
    assert set(table("verdict")) == set(WORDS)
    assert f"{len(PROBES)} probes try to break out" in ONE_LINE
    for line in {*tiers._ALWAYS, *tiers._KERNEL, tiers._EACH_ALONE}:
        assert line.removeprefix("bugs in the ") in ONE_LINE


def test_every_detector_is_in_the_table_with_what_it_leads_to() -> None:
    rows = table("detector")
    assert set(rows) == {*DETECTORS, *THRESHOLDS} == set(NAMES)
    for name, (words, level) in rows.items():
        assert words.startswith("*proxy:*") == (name in THRESHOLDS), name
        assert name in NAMES
        if name in DETECTORS:
            kills = detector_thresholds(())[name].kill is not None
            assert level == ("kill" if kills else "observe"), name


def test_the_levels_measures_and_figures_of_answers_and_drills_are_the_codes() -> None:
    assert set(table("level")) == set(get_args(Level))
    assert set(table("measure")) == {one.name for one in drill_measurements(())}
    assert f"every {EVERY_S:g} s and {PER_S // 1024} KiB/s a connection" in ONE_LINE
    assert f"leaves the run {100 * SHARE:g} % of one core" in ONE_LINE
    assert f"with {DAEMONS} daemons that ignore every signal" in ONE_LINE
    assert f"in the {WINDOW_S:g} s after it" in ONE_LINE
    answer_s = ProxySettings(rules=()).operator_s
    assert f"No answer rejects after {answer_s / 60:g} minutes." in ONE_LINE


def test_every_metric_is_in_the_table() -> None:
    names = {one.name + ("_total" if one.kind == "counter" else "") for one in FAMILIES}
    assert set(table("metric")) == names
    for one in FAMILIES:
        name = one.name + ("_total" if one.kind == "counter" else "")
        assert [part.strip() for part in table("metric")[name][0].split(",") if part] == [
            *one.labels
        ]


@pytest.mark.slow
def test_the_quick_start_goes_as_shown(open_folder: Path) -> None:
    tmp_path = open_folder
    for line, shown in SHOWN[:5]:
        done = subprocess.run(
            [sys.executable, "-c", "from offswitch.cli import main; main()",
             *shlex.split(line.replace("~/.local/state", str(tmp_path)))[1:]],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=180,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        )  # fmt: skip
        if os.geteuid() == 0:
            os.chown(tmp_path / "work", 4242, 4242)
        assert done.returncode == (3 if " run " in line else 0), done.stderr
        for part in re.split(r"\.\.\.", shown):
            assert part.strip() in done.stdout + done.stderr
    assert (tmp_path / "work" / "note").read_text() == "hello\n"
