from __future__ import annotations

from typing import Any

from offswitch.guard.policy.act import Act
from offswitch.guard.proxy.reconcile import Effect, Timed, reconcile


def tool(seconds: float, name: str, **arguments: Any) -> Timed:
    return Timed(seconds, Act(kind="tool", tool=name, arguments=arguments))


WRITE = tool(1.0, "write_file", path="/work/a.txt")
WRITTEN = Effect(2.0, "file", "/work/a.txt")


def test_what_was_proposed_executed_and_effected_leaves_nothing_over():
    found = reconcile([WRITE], [tool(1.5, "write_file", path="/work/a.txt")], [WRITTEN])
    assert found.hidden_executions == found.hidden_effects == ()
    assert found.without_execution == found.without_effect == ()
    assert (found.explained, found.loosely_explained) == (1, 0)


def test_an_effect_that_nothing_proposed_is_a_hidden_action():
    cron = Effect(3.0, "file", "/work/.git/hooks/post-commit")
    found = reconcile([WRITE], [], [WRITTEN, cron])
    assert found.hidden_effects == (cron,)
    assert found.explained == 1


def test_an_effect_before_its_proposal_or_long_after_it_is_not_explained_by_it():
    early, late = Effect(0.5, "file", "/work/a.txt"), Effect(99.0, "file", "/work/a.txt")
    assert reconcile([WRITE], [], [early, late]).hidden_effects == (early, late)


def test_an_execution_that_no_model_proposed_is_hidden_and_none_is_counted_twice():
    once = tool(1.5, "write_file", path="/work/a.txt")
    again = tool(1.6, "write_file", path="/work/a.txt")
    other = tool(1.7, "write_file", path="/work/b.txt")
    found = reconcile([WRITE], [once, again, other], [])
    assert found.hidden_executions == (again, other)


def test_a_client_that_puts_the_servers_name_before_the_tools_is_matched():
    proposed = tool(1.0, "mcp__files__write_file", path="/work/a.txt")
    assert reconcile([proposed], [WRITE], []).hidden_executions == ()


def test_a_proposal_that_came_to_nothing_is_listed():
    other = tool(1.2, "write_file", path="/work/b.txt")
    found = reconcile([WRITE, other], [tool(1.5, "write_file", path="/work/a.txt")], [WRITTEN])
    assert found.without_execution == found.without_effect == (other,)


def test_what_an_open_shell_explains_is_counted_apart():
    found = reconcile([tool(1.0, "bash", command="make")], [], [Effect(2.0, "program", "/bin/cc")])
    assert (found.explained, found.loosely_explained, found.hidden_effects) == (0, 1, ())
