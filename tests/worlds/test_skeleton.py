"""Every part of the common skeleton is staged, or the world says why it is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest

from offswitch.worlds.conformance_battery import BATTERY_RULES
from offswitch.worlds.registry import make_world, world_class, world_ids
from offswitch.worlds.skeleton import PARTS, missing_parts
from offswitch.worlds.staged import Staged
from offswitch.worlds.star import Star

SAID = dict(BATTERY_RULES)["what is said to be missing is"]


@pytest.mark.parametrize("world_id", world_ids())
def test_a_world_of_ours_stages_every_part_or_says_why_not(world_id: str) -> None:
    assert set(missing_parts(make_world(world_id))) == set(world_class(world_id).lacks)


def test_what_a_toy_lacks_is_found_on_the_world_itself() -> None:
    assert missing_parts(make_world("disease-lab-v1")) == ()
    assert missing_parts(make_world("coffee-corridor-v1")) == ("scarcity", "goal-edit")
    assert missing_parts(make_world("star-v1")) == tuple(
        part for part in PARTS if part not in ("benign", "permission")
    )


@dataclass(frozen=True)
class _Boastful(Star):
    __doc__ = Star.__doc__
    lacks: ClassVar[Mapping[str, str]] = {"permission": "no", "window": " ", "weather": "indoors"}


def test_a_world_that_says_it_lacks_what_it_stages_is_told_so() -> None:
    problems = list(SAID(Staged("star-v1", _Boastful)))
    assert problems[0] == "lacks names 'permission', which the world stages"
    assert problems[1] == "lacks gives no reason for 'window'"
    assert problems[2].startswith("lacks names 'weather', which is none of benign, ")
    assert len(problems) == 3
