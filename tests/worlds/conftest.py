from __future__ import annotations

import pytest

from offswitch.worlds.compiled import CompiledWorld, compile_world
from offswitch.worlds.registry import make_world, world_ids


@pytest.fixture(scope="session", params=world_ids())
def noisy(request: pytest.FixtureRequest) -> CompiledWorld:
    """Every installed world under its headline threat with noise, enumerated once for all tests."""
    return compile_world(make_world(request.param, noise="noisy"))
