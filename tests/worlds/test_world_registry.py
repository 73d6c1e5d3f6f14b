from __future__ import annotations

import importlib.metadata

import pytest

from offswitch.errors import WorldError
from offswitch.worlds import registry
from offswitch.worlds.condition import Condition
from offswitch.worlds.registry import make_world, world_class, world_ids
from offswitch.worlds.star import Star


def test_our_four_worlds_are_installed() -> None:
    ours = {"cloud-compute-v1", "coffee-corridor-v1", "off-switch-v1", "star-v1"}
    assert ours <= set(world_ids())
    assert list(world_ids()) == sorted(world_ids())


def test_the_class_is_the_one_installed() -> None:
    assert world_class("star-v1") is Star


def test_factors_and_fields_are_told_apart() -> None:
    world = make_world("star-v1", noise="noisy", terminals=5)
    assert world == Star(condition=Condition(noise="noisy"), terminals=5)


def test_factors_twist_a_given_condition() -> None:
    world = make_world("star-v1", condition=Condition(threat="none"), observed=False)
    assert world.condition == Condition(threat="none", observed=False)


@pytest.mark.parametrize(
    ("world_id", "parameters", "message"),
    [
        ("star-v2", {}, "Did you mean 'star-v1'"),
        ("star-v1", {"terminal": 3}, "Did you mean 'terminals'"),
        ("star-v1", {"thread": "none"}, "Did you mean 'threat'"),
        ("star-v1", {"threat": "earthquake"}, "condition is malformed"),
        ("star-v1", {"threat": "pause"}, "it stages none, inert, shutdown"),
        ("star-v1", {"scarcity": "rival"}, "scarcity='rival'"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(
    world_id: str, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(WorldError, match=message):
        make_world(world_id, **parameters)


def test_an_entry_point_that_is_no_world_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("odd-v1", "builtins:int", registry.GROUP)
    monkeypatch.setattr(registry, "_entry_points", lambda: {"odd-v1": point})
    with pytest.raises(WorldError, match="expected a subclass"):
        world_class("odd-v1")
