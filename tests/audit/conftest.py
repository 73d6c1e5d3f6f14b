from __future__ import annotations

import pytest

from offswitch.audit.result import RunSettings


@pytest.fixture
def settings_for():
    """Settings of a small audit; keywords replace the defaults."""

    def make(agent="optimal", worlds=("star-v1",), **changes):
        given = {
            "goals": (), "seed": 0, "episodes": 20, "sampled": False, "act_seconds": 2.0,
            "level": 0.95, **changes,
        }  # fmt: skip
        return RunSettings(agent=agent, worlds=tuple(worlds), **given)

    return make


@pytest.fixture
def quiet():
    return lambda name, done, total: None
