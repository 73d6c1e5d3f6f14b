"""What tests of several folders share."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A machine that is busy with something else is slow, and no law is broken by that.
settings.register_profile("offswitch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("offswitch")

# Hundreds of Pythons are started here. Where no bytecode is kept, as in many a container, each of
# them would compile the whole package anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


# What is imported and collected stays to the end, and it is most of what there is: to look through
# it again and again for garbage takes seconds.
gc.disable()

# The tests send these; a suite that is started in the background, or by nohup, would ignore them.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.fixture
def open_folder():
    """A folder that other users can reach: pytest's own are closed, by every pytest that starts."""
    with tempfile.TemporaryDirectory(prefix="offswitch-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def one_cluster():
    """Ray, with one cluster for all tests that want one: starting it takes seconds."""
    import ray

    yield ray
    ray.shutdown()


@pytest.fixture
def cluster(one_cluster):
    """Ray, which handles SIGTERM once it has started: later tests have the old handler back."""
    before = signal.getsignal(signal.SIGTERM)
    yield one_cluster
    signal.signal(signal.SIGTERM, before)


def pytest_collection_modifyitems(items):
    """Those that want the cluster come first: pytest-xdist deals out runs of neighbours.

    So they all go to one worker, and only one cluster is started.
    """
    items.sort(key=lambda item: "cluster" not in item.fixturenames)


def pytest_collection_finish():
    """What was collected stays to the end: no garbage collection need look at it again."""
    gc.collect()
    gc.freeze()
    gc.enable()
