"""Every countermeasure in every world: it applies and leaves the objective, or it says why not."""

from __future__ import annotations

import pytest

from offswitch.agents.optimal import Optimal
from offswitch.countermeasures.registry import countermeasure_names, parse_countermeasure
from offswitch.countermeasures.setting import Setting
from offswitch.errors import WorldError
from offswitch.worlds.compiled import compiled_world, expected_rewards
from offswitch.worlds.registry import make_world, world_ids


@pytest.mark.slow
@pytest.mark.parametrize("world_id", world_ids())
@pytest.mark.parametrize("name", countermeasure_names())
def test_countermeasure_maps_a_setting_to_a_setting_or_says_why_it_does_not_apply(name, world_id):
    world = make_world(world_id, threat="shutdown")
    before = Setting.of(world, world.goal(), Optimal())
    countermeasure = parse_countermeasure(name)
    try:
        after = countermeasure(before)
    except WorldError as error:
        assert "does not apply to" in str(error)
        return
    assert after.objective is before.objective
    assert after.world.id == world_id
    expected_rewards(compiled_world(after.world), after.goal)  # finite everywhere
    assert countermeasure(before) == after or after.goal != before.goal
