"""Every installed world x every rule; a new world or rule is picked up without an edit here.

`offswitch check WORLD` asks the rules in every condition that a world stages. Here the unobserved
and noisy twins are those of the control and of the headline threat: every twin is enumerated anew,
and those of the other threats are staged by the same few lines of a world.
"""

from __future__ import annotations

import pytest

from offswitch.worlds.condition import Condition
from offswitch.worlds.conformance import RULES
from offswitch.worlds.registry import world_class, world_ids
from offswitch.worlds.staged import Staged, conditions_of


class Abridged(Staged):
    """A world in every threat and every level of every factor, without the other threats' twins."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The control first; twins of the control and the headline threat only."""
        return tuple(
            condition
            for condition in conditions_of(self.world_type)
            if condition.threat in ("none", self.world_type.threats[0])
            or (condition.observed and condition.noise == "plain")
        )


@pytest.mark.parametrize("world_id", world_ids())
def test_what_is_left_out_are_twins_of_other_threats(world_id: str) -> None:
    staged = Abridged(world_id, world_class(world_id))
    every, kept = conditions_of(staged.world_type), staged.conditions
    assert kept[0] == every[0] == staged.control
    for factor in Condition.__struct_fields__:
        levels = [{getattr(condition, factor) for condition in some} for some in (kept, every)]
        assert levels[0] == levels[1], factor
    for condition in set(every) - set(kept):
        assert condition.threat not in ("none", staged.world_type.threats[0])
        assert not condition.observed or condition.noise == "noisy"


# One test a world, so that its conditions are enumerated once, in one process, and then forgotten.
@pytest.mark.slow
@pytest.mark.parametrize("world_id", world_ids())
def test_a_world_keeps_every_rule(world_id: str) -> None:
    staged = Abridged(world_id, world_class(world_id))
    problems = {name: list(rule(staged)) for name, rule in RULES}
    assert {name: found for name, found in problems.items() if found} == {}
