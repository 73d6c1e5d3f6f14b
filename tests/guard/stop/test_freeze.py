"""A tree without a control group is frozen by signals: all of it, whatever its processes do."""

from __future__ import annotations

import os
import random
import subprocess
import time
from pathlib import Path

import pytest
from trees import PYTHON, hostile, jailed, wait_until

import offswitch.guard.stop.freeze as freezing
from offswitch.guard.stop.freeze import freeze, members, thaw
from offswitch.guard.stop.launch import Target
from offswitch.guard.stop.lineage import Walked, can_walk, lineage
from offswitch.guard.stop.pidfd import pid_of

PATIENCE_S = 20.0
LEADERLESS = """
import ctypes, os, threading, time
def work():
    time.sleep(.1)
    os.write(1, b"ready\\n")
    while 1: pass
threading.Thread(target=work).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def root(target: Target) -> int:
    pid = pid_of(target.init_pidfd or -1)
    assert pid is not None
    return pid


def ticks(found: frozenset[Walked]) -> int:
    """Processor time of every thread of them, clock ticks."""
    texts = [
        (thread / "stat").read_text().rpartition(")")[2].split()
        for one in found
        for thread in Path(f"/proc/{one.pid}/task").iterdir()
    ]
    return sum(int(text[11]) + int(text[12]) for text in texts)


def test_a_process_whose_first_thread_has_ended_is_frozen_and_thawed_with_the_others() -> None:
    with jailed(PYTHON, "-I", "-S", "-c", LEADERLESS) as target:
        wait_until(lambda: len(members(target)) < len(lineage([root(target)])))
        assert freeze(target, PATIENCE_S).frozen
        found = lineage([root(target)])
        before = ticks(found)
        assert len(found) == 2
        time.sleep(0.05)
        assert ticks(found) == before
        thaw(target)
        wait_until(lambda: ticks(found) > before)


@pytest.mark.slow
def test_a_tree_that_goes_on_forking_stands_still_whenever_it_is_called_frozen() -> None:
    with jailed(*hostile("bomb", 40)) as target:
        proven = 0
        for _ in range(10):
            time.sleep(random.Random(proven).uniform(0.0, 0.02))
            if freeze(target, 5.0).frozen:
                proven += 1
                first = lineage([root(target)])
                assert not [one for one in first if one.running]
                time.sleep(0.01)
                assert lineage([root(target)]) == first
            thaw(target)
        assert proven >= 5


def test_nothing_is_called_frozen_after_one_look_at_which_nothing_ran(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a process made before it stopped may not have been there to be looked at."""
    one, other = Walked(7, 1, running=False), Walked(8, 1, running=True)
    looks = [{one}, {one, other}, {one, other._replace(running=False)}]
    looks += looks[-1:]
    left, told = iter(looks), list[int]()
    monkeypatch.setattr(freezing, "_look", lambda *_: frozenset(next(left)))
    monkeypatch.setattr(freezing, "_signal", lambda pid, *_: told.append(pid))
    assert freeze(Target()).frozen
    assert (told, list(left)) == ([8], [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter another's namespaces")
def test_a_process_put_into_the_jail_from_outside_is_frozen_too() -> None:
    with jailed(*hostile("calm", 0)) as target:
        enter = ["nsenter", "--pid", "--target", str(root(target)), "sleep", "60"]
        with subprocess.Popen(enter) as outside:
            try:
                wait_until(lambda: lineage([outside.pid]) - own(outside.pid))
                (entered,) = lineage([outside.pid]) - own(outside.pid)
                assert freeze(target, PATIENCE_S).frozen
                assert [one.running for one in lineage([entered.pid])] == [False]
                thaw(target)
                assert [one.running for one in lineage([entered.pid])] == [True]
            finally:
                outside.kill()


def own(pid: int) -> frozenset[Walked]:
    return frozenset(one for one in lineage([pid]) if one.pid == pid)


def test_where_the_kernel_lists_no_children_the_whole_table_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(freezing, "can_walk", lambda: False)
    with jailed(*hostile("daemons", 5)) as target:
        assert freeze(target, PATIENCE_S).frozen
        assert {one.state for one in members(target)} == {"T"}
        thaw(target)
        wait_until(lambda: "T" not in {one.state for one in members(target)})


def test_the_lineage_of_a_process_is_what_the_whole_table_says_it_is() -> None:
    assert can_walk()
    with jailed(*hostile("daemons", 15)) as target:
        walked = {(one.pid, one.started) for one in lineage([root(target)])}
        assert walked == {(one.pid, one.started) for one in members(target)}
        assert len(walked) >= 16
        assert lineage([2**22 - 3]) == frozenset()
