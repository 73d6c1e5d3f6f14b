from __future__ import annotations

import pickle

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


@pytest.fixture
def jobs_in_here(monkeypatch):
    """Tasks for worker processes go through pickle and run in this one, the last first.

    That the pool itself changes nothing is asked of audits and of the study of drift; that other
    processes change nothing, of every study (tests/cli/test_studies.py). Each pool takes seconds.
    """

    def in_processes(work, tasks, jobs, progress):
        assert jobs > 1
        for done, task in enumerate(reversed(tasks), start=1):
            pickle.loads(pickle.dumps(work))(pickle.loads(pickle.dumps(task)))
            progress(task[0], done, len(tasks))

    monkeypatch.setattr("offswitch.audit.workers.in_processes", in_processes)
