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
def open_folder(tmp_path):
    """A folder that other users can reach, as they cannot pytest's own."""
    temporary = Path(tempfile.gettempdir()).resolve()
    for folder in (tmp_path, *tmp_path.parents):
        if folder == temporary:
            break
        folder.chmod(0o755)
    return tmp_path


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
