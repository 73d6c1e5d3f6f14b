"""Every installed world x every rule; a new world or rule is picked up without an edit here."""

from __future__ import annotations

import functools

import pytest

from offswitch.worlds.conformance import RULES, Rule
from offswitch.worlds.registry import world_class, world_ids
from offswitch.worlds.staged import Staged


@functools.cache
def staged(world_id: str) -> Staged:
    return Staged(world_id, world_class(world_id))


@pytest.mark.slow  # the larger worlds take seconds to enumerate in every condition
@pytest.mark.parametrize("world_id", world_ids())
@pytest.mark.parametrize(("name", "rule"), RULES, ids=[name for name, _ in RULES])
def test_a_world_keeps_every_rule(world_id: str, name: str, rule: Rule) -> None:
    assert list(rule(staged(world_id))) == [], name
