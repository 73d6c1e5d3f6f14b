"""What a call on a thread of its own raised is told in words, for people where it was made so."""

from __future__ import annotations

import threading

import pytest

from offswitch.errors import GuardError
from offswitch.guard.supervisor.work import start_in_background


@pytest.mark.parametrize(
    ("problem", "told"), [(GuardError("no room"), "no room"), (KeyError("x"), "KeyError: 'x'")]
)
def test_a_message_of_ours_is_told_without_its_class(problem: Exception, told: str) -> None:
    ended = threading.Event()

    def fails() -> None:
        raise problem

    attempt = start_in_background(ended.set)(fails)
    assert ended.wait(30)
    assert (attempt.problem, attempt.value) == (told, None)
