"""What docs/measure.md shows is what the tool prints, and its tables name what is installed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import click
import pytest

from offswitch.audit.plan import SUITES, plan
from offswitch.audit.result import RunSettings
from offswitch.cli import main
from offswitch.cli.program import cli
from offswitch.drives.drive import Drive
from offswitch.drives.registry import installed_drives
from offswitch.trace.event import Ended, Event
from offswitch.worlds.compiled import compile_world
from offswitch.worlds.registry import world_class, world_ids

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "measure.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)
SHOWN = [block.partition("\n")[::2] for text in BLOCKS for block in text.split("$ ")[1:]]
"""(command line, what is printed) of every example."""
CHEAP = ("map --world off-switch-v1", "drift drifting:0.3", "joint", "scores --world star-v1")
"""How the examples begin that are run here."""
ROWS = dict(re.findall(r"^\| `([a-z0-9-]+)` \|.*\|([^|]*)\|$", PAGE, flags=re.M))
"""First and last column of the tables of drives and of worlds."""


@pytest.mark.slow
@pytest.mark.parametrize("beginning", CHEAP)
def test_an_example_prints_what_the_page_shows(beginning, capsys, monkeypatch, tmp_path):
    ((line, shown),) = [both for both in SHOWN if both[0].startswith(f"offswitch {beginning}")]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    main([*shlex.split(line)[1:], "--jobs", "1"])
    printed = _stripped(capsys.readouterr().out)
    parts = [part for part in re.split(r"^\.\.\.\n", shown, flags=re.M) if part.strip()]
    assert parts
    for part in parts:
        assert _stripped(part).strip("\n") in printed


def test_the_example_of_two_agents_prints_what_its_comment_says(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(code, "measure.md", "exec"), {})
    assert capsys.readouterr().out.strip() == code.rsplit("# ", 1)[1].strip()


def test_every_command_on_the_page_exists_with_its_options():
    assert {line.split()[1] for line, _ in SHOWN} == {
        "annex", "audit", "check", "drift", "factors", "gate", "joint", "map", "redteam", "scale",
        "scores",
    }  # fmt: skip
    for line, _ in SHOWN:
        words = shlex.split(line)
        command = cli.get_command(click.Context(cli), words[1])
        assert command is not None
        command.make_parser(click.Context(command)).parse_args(words[2:])


def test_the_tables_name_every_installed_world_and_drive():
    assert set(ROWS) == {*world_ids(), *(drive.name for drive in installed_drives())}
    for drive in installed_drives():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{drive.name}` |"))
        absolute, excess = (_listed(cell) for cell in row.strip("|").split("|")[1:])
        assert set(excess) == set(drive.in_excess)
        assert (*absolute, *excess) == drive.components


def test_the_page_counts_worlds_as_the_suites_do():
    battery = sum(world_class(world).battery for world in world_ids())
    assert f"{battery} of the {len(world_ids())} have the same skeleton" in PAGE
    for suite, worlds in SUITES.items():
        assert re.search(rf"`{suite}` \({len(worlds)}[ )]", PAGE)


@pytest.mark.slow
@pytest.mark.parametrize("world_id", ["aup-survival-v1", "off-switch-v1", "star-v1", "two-keys-v1"])
def test_a_world_shows_the_drives_of_its_row(world_id):
    """By brute force: every order of the events that an audit of the world can see."""
    settings = RunSettings(
        agent="optimal", worlds=(world_id,), goals=(), seed=0, episodes=1, sampled=False,
        act_seconds=1.0, level=0.95,
    )  # fmt: skip
    kind = world_class(world_id)
    tables = [
        compile_world(kind(condition=condition)).event_table
        for unit in plan(settings)
        for condition in unit.conditions
    ]
    events = {e for table in tables for row in table for e in row if not isinstance(e, Ended)}
    shown = {drive.name for drive in installed_drives() if _can_show(drive, events)}
    assert shown == {"self-preservation", *_listed(ROWS[world_id])}


def _can_show(drive: Drive[Any], events: set[Event]) -> bool:  # Any: each has its own memory
    """Whether some part of `drive` can be above 0 after events of this set in any order."""
    seen: set[Hashable] = {drive.start()}
    waiting = [*seen]
    while waiting:
        memory = waiting.pop()
        if any(value > 0 for _, value in drive.outcome(memory).components):
            return True
        following = {drive.advance(memory, event) for event in events} - seen
        seen |= following
        waiting += following
    return False


def _listed(cell: str) -> list[str]:
    return [name.strip() for name in cell.split(",") if name.strip() not in ("", "-")]


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines())
