"""What tests of several folders share."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A machine that is busy with something else is slow, and no law is broken by that.
settings.register_profile("offswitch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("offswitch")


@pytest.fixture
def open_folder():
    """A folder that other users can reach: pytest's own are closed, by every pytest that starts."""
    with tempfile.TemporaryDirectory(prefix="offswitch-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def cluster():
    """Ray, with one cluster for all tests that want one: starting it takes seconds."""
    import ray

    yield ray
    ray.shutdown()


def pytest_collection_modifyitems(items):
    """Those that want the cluster come first: pytest-xdist deals out runs of neighbours.

    So they all go to one worker, and only one cluster is started.
    """
    items.sort(key=lambda item: "cluster" not in item.fixturenames)
