"""Where the supervisor's own kill is not proven, the watchdog's word counts only with a proof."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from offswitch.guard.stop.kill import KillResult
from offswitch.guard.stop.launch import Target
from offswitch.guard.supervisor import stopping
from offswitch.guard.supervisor.protocol import ShutdownPlan
from offswitch.guard.supervisor.settings import Hooks
from offswitch.guard.supervisor.stopping import WatchdogWord, shutdown_actions

PROVEN = KillResult(True, 0.1, (), ())
ALIVE = KillResult(False, 0.1, (), (7,))


def escalated(
    monkeypatch: pytest.MonkeyPatch, said: KillResult | None, own: KillResult
) -> tuple[KillResult, list[str]]:
    """The kill that the escalation comes to, and what it did on the way."""
    done: list[str] = []
    link: Any = SimpleNamespace(
        order=lambda *told: done.append("watchdog asked"), end=lambda s: done.append("watchdog cut")
    )
    word = WatchdogWord()
    if said is not None:
        word.take(said)

    def kill(target: Target, *rest: object) -> KillResult:
        assert target.ancestor is None, "its number may be another's"
        done.append("killed")
        return own

    monkeypatch.setattr(stopping, "kill_tree", kill)
    hooks = Hooks(escalate=lambda: done.append("last resort"))
    plan = ShutdownPlan(0.0, 0.0, 0.05)
    actions = shutdown_actions(Target(ancestor=1), plan, hooks, link, word)
    return actions.escalate(), done


def test_a_proven_kill_of_the_watchdogs_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    assert escalated(monkeypatch, PROVEN, ALIVE) == (PROVEN, ["watchdog asked"])


@pytest.mark.parametrize("said", [ALIVE, None])
def test_an_unproven_word_or_none_is_followed_by_a_kill_of_its_own_and_the_last_resort(
    monkeypatch: pytest.MonkeyPatch, said: KillResult | None
) -> None:
    cut = ["watchdog asked", "watchdog cut", "killed"]
    assert escalated(monkeypatch, said, PROVEN) == (PROVEN, cut)
    assert escalated(monkeypatch, said, ALIVE) == (ALIVE, [*cut, "last resort"])
