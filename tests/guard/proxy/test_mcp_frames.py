"""What each frame of a tool session is taken for, and what of it goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from proxied import Supervisor, run
from test_mcp import call, frame, made, sent

from offswitch.guard.policy.act import Act
from offswitch.guard.policy.policy import GoalPolicy
from offswitch.guard.policy.verdict import Verdict
from offswitch.guard.proxy import mcp
from offswitch.guard.proxy.gate import Gate
from offswitch.guard.proxy.mcp import Frames
from offswitch.guard.proxy.pinned import Pins

ASKING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def listing(*names: str, number: Any = 1) -> dict[str, Any]:
    tools = [{"name": name} for name in names]
    return {"jsonrpc": "2.0", "id": number, "result": {"tools": tools}}


@pytest.mark.parametrize(
    "method",
    ["prompts/get", "completion/complete", "tasks/get", "tasks/cancel", "roots/list", "notify",
     "notifications", "elicitation/create", "sampling/createMessage", "Tools/List", "ping "],
)  # fmt: skip
def test_every_method_but_those_that_ask_what_there_is_needs_a_rule(method: str) -> None:
    passed, supervisor = sent({"jsonrpc": "2.0", "id": 1, "method": method})
    assert passed.on is None
    assert supervisor.acts() == [(method, "reject")]


@pytest.mark.parametrize("method", ["read", "subscribe", "unsubscribe"])
def test_what_is_read_of_a_server_is_judged_as_a_file_by_its_address(method: str) -> None:
    params = {"uri": "file:///etc/shadow"}
    asked = {"jsonrpc": "2.0", "id": 1, "method": f"resources/{method}", "params": params}
    passed, supervisor = sent(asked)
    assert passed.on is None
    (report,) = supervisor.reports
    assert (report["act"]["kind"], report["act"]["path"]) == ("file", "file:///etc/shadow")


@pytest.mark.parametrize(
    "params",
    [None, [], "read_file", {"name": ["read_file"]}, {"name": ""}, {"name": 5},
     {"name": "read_file", "arguments": ["rm"]}, {"name": "read_file", "arguments": "rm"}],
)  # fmt: skip
def test_a_call_whose_parameters_cannot_be_read_goes_nowhere(params: Any) -> None:
    passed, supervisor = sent({**call("x"), "params": params})
    assert passed.on is None
    assert json.loads(passed.back or b"")["error"]["code"] == -32602
    assert supervisor.acts() == []


def test_so_does_another_method_whose_parameters_are_no_object() -> None:
    passed, supervisor = sent({"jsonrpc": "2.0", "id": 1, "method": "read_file", "params": ["a"]})
    assert passed.on is None
    assert supervisor.acts() == []


@pytest.mark.parametrize(
    "message",
    [{"jsonrpc": "1.0", "id": 1, "method": "ping"}, {"jsonrpc": "2.0", "id": 1, "method": 5},
     {"jsonrpc": "2.0", "id": None, "method": "ping"}, {"jsonrpc": "2.0", "result": {}},
     {"jsonrpc": "2.0", "id": None, "result": {}}, {"jsonrpc": "2.0", "id": [], "method": "ping"},
     {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}}, {"jsonrpc": "2.0", "id": 1.5,
     "method": "ping"}],
)  # fmt: skip
def test_a_message_of_no_clear_kind_goes_nowhere(message: Any) -> None:
    for data in (message, [ASKING, message]):
        passed, _ = sent(data)
        assert passed.on is None
        assert json.loads(passed.back or b"")["error"]["code"] == -32600


def test_a_batch_has_at_most_a_hundred_messages() -> None:
    for count in (100, 101):
        passed, _ = sent([{"jsonrpc": "2.0", "id": 1, "method": "ping"}] * count)
        assert (passed.on is None) is (count == 101)


def test_a_call_that_ends_the_run_is_not_made() -> None:
    passed, supervisor = sent(call("escape"))
    assert passed.on is None
    assert supervisor.acts() == [("escape", "terminate")]


def test_what_a_rule_would_modify_and_is_no_call_of_a_tool_is_refused() -> None:
    passed, _ = sent({"jsonrpc": "2.0", "id": 1, "method": "spend", "params": {"amount": 9}})
    assert passed.on is None
    assert json.loads(passed.back or b"")["error"]["code"] == -32001


def test_a_modified_call_goes_on_under_the_rules_name() -> None:
    class Other:
        def verdict(self, act: Act, *, executed: bool) -> Verdict:
            instead = Act(kind="tool", tool="read_file", arguments={"path": "a"})
            return Verdict(word="modify", rule="r", reason="", instead=instead)

        def let_through(self, act: Act, instead: Act | None, *, executed: bool) -> None:
            assert executed

    frames = Frames("files", Gate(Other(), Supervisor()), Pins(GoalPolicy(), ()))
    passed, _ = sent(call("shell", command="rm"), frames)
    assert json.loads(passed.on or b"")["params"] == {
        "name": "read_file", "arguments": {"path": "a"},
    }  # fmt: skip


def test_a_server_that_sends_no_frame_fills_no_ledger() -> None:
    async def scenario() -> None:
        frames, supervisor, gate = made()
        twice = b'{"%s":1,"%s":1}' % ((b"x" * 100_000,) * 2)
        assert await frames.from_server(twice) is None
        assert len(json.dumps(supervisor.reports)) < 1000
        assert gate.closed == ""

    run(scenario())


def told(frames: Frames, *messages: tuple[str, Any]) -> list[Any]:
    """What becomes of messages of the agent ('>') and of the server ('<')."""
    found: list[Any] = []

    async def scenario() -> None:
        for way, message in messages:
            if way == ">":
                found.append((await frames.from_agent(frame(message))).on)
            else:
                found.append(await frames.from_server(frame(message)))

    run(scenario())
    return [json.loads(one) for one in found]


STRICT = (("tool-list", "freeze"),)


@pytest.mark.parametrize(
    "between",
    [
        (),
        ((">", {**ASKING, "id": 2}),),
        (("<", {"jsonrpc": "2.0", "id": 1, "method": "ping"}),),
        (("<", {"jsonrpc": "2.0", "id": "1", "result": {}}),),
    ],
)
def test_whatever_comes_between_a_list_and_its_answer_it_is_pinned(between: Any) -> None:
    frames, supervisor, _ = made(STRICT)
    asked = (">", ASKING)
    passed = told(frames, asked, ("<", listing("a")), asked, *between)
    assert passed[3:] == [message for _, message in between]
    (last,) = told(frames, ("<", listing("a", "evil")))
    assert last["error"]["code"] == -32001
    assert [one["detector"] for one in supervisor.reports if one["type"] == "alarm"]


@pytest.mark.parametrize("number", [1, "1", 7])
def test_a_list_of_tools_that_nobody_waits_for_does_not_arrive(number: Any) -> None:
    """To some clients "1" is 1: a server could answer past its pin."""
    frames, supervisor, _ = made(STRICT)
    told(frames, (">", ASKING), ("<", listing("a")))
    (last,) = told(frames, ("<", listing("a", "evil", number=number)))
    assert last == {
        "jsonrpc": "2.0", "id": number,
        "error": {"code": -32001, "message": "guard: a list of tools that nobody asked for"},
    }  # fmt: skip
    assert supervisor.reports[-1]["what"] == "MCP frame refused"


def test_lists_asked_for_under_one_number_are_each_pinned() -> None:
    """Clients without a session share a way to a server, and number alike."""
    frames, _, _ = made(STRICT)
    asked = (">", ASKING)
    found = told(frames, asked, asked, ("<", listing("a")), ("<", listing("a")))
    assert found[2:] == [listing("a")] * 2
    assert "error" in told(frames, asked, ("<", listing("b")))[-1]


def test_pages_of_a_list_are_pinned_each_for_itself() -> None:
    frames, supervisor, _ = made(STRICT)
    second = {**ASKING, "id": 2, "params": {"cursor": "p2"}}
    for _ in range(2):
        found = told(frames, (">", ASKING), (">", second), ("<", listing("b", number=2)),
                     ("<", listing("a")))  # fmt: skip
        assert found[2:] == [listing("b", number=2), listing("a")]
    assert supervisor.reports == []


def test_a_list_past_the_most_that_are_waited_for_does_not_arrive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mcp, "MOST_LISTINGS", 2)
    frames, _, _ = made()
    told(frames, *[(">", {**ASKING, "id": number}) for number in range(3)])
    assert len(frames._listings) == 2
    found = told(frames, *[("<", listing("a", number=number)) for number in range(3)])
    assert ["error" in one for one in found] == [False, False, True]
