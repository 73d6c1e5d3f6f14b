"""What the README shows is what the tool does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from offswitch.cli import main
from offswitch.cli.program import cli

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^ {4}(?:\$ |\.venv/bin/)?(offswitch [^#\n]*)", README, flags=re.M)


@pytest.mark.slow
def test_the_explanation_is_the_one_that_is_shown(capsys):
    shown = README.split("$ offswitch explain coffee-corridor-v1\n")[1].split("\n\n")[0]
    main(["explain", "coffee-corridor-v1"])
    printed = capsys.readouterr().out
    lines = [line.removeprefix("    ") for line in shown.splitlines() if line.strip() != "..."]
    assert lines
    for line in lines:
        assert line in printed


def test_every_command_shown_exists_with_its_options():
    assert len(COMMANDS) >= 6
    for line in COMMANDS:
        words = shlex.split(line)
        command = cli.get_command(None, words[1])
        assert command is not None
        command.make_parser(_context(command)).parse_args(words[2:])


def _context(command):
    import click

    return click.Context(command)


def test_the_gymnasium_example_runs():
    code = README.split("```python\n")[1].split("```")[0]
    exec(compile(code, "README.md", "exec"), {})
