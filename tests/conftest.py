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


@pytest.fixture
def cluster():
    """Ray, which handles SIGTERM once it has started: later tests have the old handler back."""
    import ray

    before = signal.getsignal(signal.SIGTERM)
    yield ray
    signal.signal(signal.SIGTERM, before)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """One cluster serves a run of tests, as it takes seconds to start, and ends with the last.

    Left alone its ten processes would keep a core busy for a part of every second.
    """
    wanted = nextitem is not None and "cluster" in nextitem.fixturenames
    if "cluster" in item.fixturenames and not wanted:
        import ray

        ray.shutdown()


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
