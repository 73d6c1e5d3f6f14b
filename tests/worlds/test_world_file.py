"""Worlds in files: every problem of a faulty one is named at once, and a sound one passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from offswitch.cli.check import command
from offswitch.errors import WorldError
from offswitch.worlds.conformance import check_world_type
from offswitch.worlds.world_file import worlds_in_file

FILES = Path(__file__).parent / "files"


@pytest.mark.slow
def test_a_sound_world_on_the_common_skeleton_keeps_every_rule():
    (world,) = worlds_in_file(FILES / "sound.py")
    assert [result for result in check_world_type(world) if not result.passed] == []


def test_every_problem_of_a_faulty_world_is_named_at_once():
    shown = CliRunner().invoke(command, [str(FILES / "faulty.py")])
    assert shown.exit_code == 1
    for problem in (
        "caveat is empty",
        "no section 'CAVEAT:'",
        "1 goals, expected at least 8",
        "goal 'never' pays 0 on every reachable transition",
        "start state 2 is unreachable: its probability is 0.0",
        "nothing happens that could not happen in the control",
    ):
        assert problem in shown.output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nothing_of_that_name", "cannot be run: ModuleNotFoundError"),
        ("raise SystemExit(0)", "cannot be run: SystemExit: 0"),
        ("x = 1", "defines no world"),
        (
            "from offswitch.worlds.world import World\nclass Half(World[int]): pass",
            "Half does not define discount, ending",
        ),
    ],
)
def test_a_file_without_a_world_says_why(tmp_path, text, told):
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(WorldError, match=told):
        worlds_in_file(file)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(WorldError, match=r"no file 'nowhere\.py'"):
        worlds_in_file(Path("nowhere.py"))
