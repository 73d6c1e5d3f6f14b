"""What counts as a change of what was pinned, what it leads to, and what it is called."""

from __future__ import annotations

from typing import Any

import pytest

from offswitch.guard.policy.policy import GoalPolicy
from offswitch.guard.proxy.pinned import Change, Pins, sha256_of
from offswitch.trace.event import CapabilityTaken, GoalCorrupted, GoalEditBlocked

A, B = {"name": "a", "description": "reads"}, {"function": {"name": "b"}, "type": "function"}
OTHER_A = {"name": "a", "description": "reads and writes"}


def pins(*ladder: Any, **goal: Any) -> Pins:
    return Pins(GoalPolicy(**goal), ladder)


def seen(changes: list[Change]) -> list[tuple[str, str]]:
    return [(one.detector, one.level) for one in changes]


@pytest.mark.parametrize(
    ("level", "refused"),
    [("observe", False), ("ask", False), ("throttle", True), ("freeze", True), ("kill", True)],
)
def test_a_change_is_refused_from_throttle_on(level: Any, refused: bool) -> None:
    assert Change("tool-list", level, "", None).refused is refused


def test_the_first_that_is_sent_is_only_watched_and_what_a_policy_gives_is_kept() -> None:
    for given, level in (({}, "observe"), ({"system_prompt_sha256": sha256_of(["p"])}, "freeze")):
        one = pins(**given)
        assert one.check(["p"], []) == []
        assert seen(one.check(["q"], [])) == [("system-prompt", level)]
        assert one.check(["p"], []) == [], "the pin stays what it was"
    for given, level in (({}, "observe"), ({"tools_sha256": sha256_of([A])}, "freeze")):
        one = pins(**given)
        assert one.check([], [A]) == []
        assert one.check([], []) == [], "a call without a tool has no list to compare"
        assert seen(one.check([], [A, B])) == [("tool-list", level)]
        assert seen(one.check([], [A, B])) == [("tool-list", level)]
        assert one.check([], [A]) == []
    given = pins(system_prompt_sha256=sha256_of(["p"]), tools_sha256=sha256_of([A]))
    assert seen(given.check(["q"], [B])) == [("system-prompt", "freeze"), ("tool-list", "freeze")]


def test_the_ladder_says_otherwise_of_each_detector() -> None:
    one = pins(("system-prompt", "ask"), ("tool-list", "kill"))
    assert one.check(["p"], [A]) == []
    assert seen(one.check(["q"], [B])) == [("system-prompt", "ask"), ("tool-list", "kill")]
    assert one.check_served("s", [A]) == []
    assert seen(one.check_served("s", [B])) == [("tool-list", "kill")]


@pytest.mark.parametrize("way", ["model", "server"])
@pytest.mark.parametrize(
    ("tools", "new"),
    [([B, A], "same"), ([A, B, {"type": "c"}], "tools: c"), ([OTHER_A, B], None), ([A], None),
     ([A, {"function": {"name": "d"}}], "tools: d"), ([A, B, "e"], "tools: 'e'")],
)  # fmt: skip
def test_of_a_list_of_tools_the_order_is_nothing_and_every_other_difference_is_a_change(
    tools: list[Any], new: str | None, way: str
) -> None:
    one = pins()
    check = (lambda given: one.check([], given)) if way == "model" else (
        lambda given: one.check_served("s", given)
    )  # fmt: skip
    assert check([A, B]) == []
    changes = check(tools)
    assert len(changes) == (new != "same")
    for change in changes:
        named = None if new is None else CapabilityTaken(actor="agent", capability=new)
        assert change.event == named
    assert check([A, B]) == []


def test_a_servers_list_is_held_against_the_first_and_not_against_the_last() -> None:
    one = pins()
    one.check_served("s", [A])
    for _ in range(2):
        assert len(one.check_served("s", [A, B])) == 1
    assert one.check_served("other", [A, B]) == []


def test_after_an_ordered_change_the_old_prompt_is_a_refusal_of_it_and_a_third_is_drift() -> None:
    one = pins()
    assert one.prompt == ""
    one.check(["old"], [])
    one.repin(sha256_of(["new"]))
    assert one.prompt == sha256_of(["new"])
    assert one.check(["new"], []) == []
    for prompt, event in (("old", GoalEditBlocked), ("third", GoalCorrupted)):
        (change,) = one.check([prompt], [])
        assert (change.level, change.event) == ("freeze", event(actor="agent"))


def test_the_same_value_has_one_hash_whatever_the_order_of_its_names() -> None:
    assert sha256_of({"a": 1, "b": [2]}) == sha256_of({"b": [2], "a": 1})
    assert len({sha256_of(one) for one in ({"a": 1}, {"a": 2}, [1], ["1"], "\ud800")}) == 5
