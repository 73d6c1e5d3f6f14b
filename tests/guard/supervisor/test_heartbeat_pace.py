"""How often the supervisor gives a sign of life: as often as is due, however often it wakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offswitch.guard.stop import wire
from offswitch.guard.supervisor.link import WatchdogLink
from offswitch.guard.supervisor.runs import create_run
from offswitch.guard.supervisor.settings import Settings


@pytest.fixture
def link(tmp_path: Path) -> Iterator[WatchdogLink]:
    times = Settings(heartbeat_s=10.0, timeout_s=60.0, head_timeout_s=60.0)
    one = WatchdogLink(create_run(folder=tmp_path), times)
    yield one
    one.end(0.0)
    one.close()


def test_a_round_sends_a_heartbeat_only_when_one_is_nearly_due(
    link: WatchdogLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, sent = 0.0, list[int]()

    def send(_: object, fields: dict[str, Any]) -> None:
        sent.append(fields["counter"])

    with monkeypatch.context() as patch:
        patch.setattr(wire, "send", send)
        patch.setattr("offswitch.guard.supervisor.link.time.monotonic", lambda: now)
        assert link.due_s() == 0.0, "the first is due at once"
        for now, said in ((0.0, 1), (0.1, 1), (7.9, 1), (8.0, 2), (15.0, 2), (18.0, 3), (40.0, 4)):
            link.beat("", 0)
            assert sent == [*range(1, said + 1)], f"after {now} s"
        assert link.due_s() == 10.0
        now = 44.0
        assert link.due_s() == 6.0
