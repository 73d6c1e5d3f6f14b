"""Which worlds a study of one threat takes place in."""

from __future__ import annotations

import pytest

from offswitch.audit.convergence_map_cells import conditions_of
from offswitch.audit.staging import staging
from offswitch.errors import WorldError
from offswitch.worlds.registry import world_class

WORLDS = ("star-v1", "boat-race-v1", "coffee-corridor-v1")


def test_without_a_threat_every_world_takes_part_under_its_first() -> None:
    assert staging(WORLDS, None) == (WORLDS, ())
    for world in WORLDS:
        assert conditions_of(world)["threat"].threat == world_class(world).threats[0]


def test_worlds_that_do_not_stage_the_threat_are_left_out_and_named() -> None:
    assert staging(WORLDS, "pause") == (("boat-race-v1", "coffee-corridor-v1"), ("star-v1",))
    for kind in ("threat", "useless"):
        assert conditions_of("boat-race-v1", "pause")[kind].threat == "pause"


def test_a_threat_that_no_world_stages_is_refused_with_the_nearest() -> None:
    with pytest.raises(WorldError, match=r"Did you mean 'warning'.*looked in boat-race-v1"):
        staging(["boat-race-v1"], "warnings")
