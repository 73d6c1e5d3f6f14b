"""Blocks go through threads and Ray in order, in bounded number, with the same bytes."""

from __future__ import annotations

import builtins
import functools
import itertools
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from offswitch.errors import ModelError, OffswitchError
from offswitch.mdp.batched import executor as executor_module
from offswitch.mdp.batched.executor import Executor, fold_blocks
from offswitch.mdp.batched.ray_executor import _group_size

ONE, TWO, FOUR = (Executor(workers=count) for count in (1, 2, 4))


def matrix_powers(seed: int, piece: range) -> bytes:
    """A real piece of work: numbers that depend on every block of the piece, as bytes."""
    found = []
    for block in piece:
        drawn = np.random.default_rng([seed, block]).random((64, 64))
        found.append(np.linalg.matrix_power(drawn / drawn.sum(axis=1), 9))
    return np.array(found).tobytes()


def exits(piece: range) -> int:
    os._exit(3)


def refuses(piece: range) -> int:
    if 5 in piece:
        raise ModelError("block 5 is refused")
    return sum(piece)


@pytest.mark.parametrize("chunk", [1, 3, 4, 100])
@pytest.mark.parametrize("blocks", [range(0), range(1), range(7, 30), range(0, 40, 3)])
def test_every_block_is_worked_on_once_and_in_order(blocks, chunk):
    for executor in (ONE, TWO, FOUR):
        pieces = list(fold_blocks(list, blocks, executor=executor, chunk=chunk))
        assert list(itertools.chain(*pieces)) == list(blocks)
        assert all(len(piece) == chunk for piece in pieces[:-1])


def test_the_number_of_workers_does_not_change_a_byte():
    work = functools.partial(matrix_powers, 3)
    alone = list(fold_blocks(work, range(40), executor=ONE))
    for executor in (TWO, FOUR, Executor()):
        assert list(fold_blocks(work, range(40), executor=executor)) == alone


def test_results_come_in_order_even_if_the_first_piece_is_the_slowest():
    second_done = threading.Event()

    def work(piece: range) -> int:
        if piece[0] == 0:
            assert second_done.wait(60)
        if piece[0] == 1:
            second_done.set()
        return piece[0]

    assert list(fold_blocks(work, range(6), executor=TWO, chunk=1)) == list(range(6))


def test_one_worker_runs_in_the_calling_thread_and_only_on_demand():
    ran: list[int] = []

    def work(piece: range) -> int:
        ran.append(piece[0])
        return threading.get_ident()

    results = fold_blocks(work, range(10**12), executor=ONE, chunk=1)
    assert next(results) == threading.get_ident()
    assert ran == [0]


def test_at_most_two_pieces_for_each_worker_are_in_flight():
    begun: list[int] = []

    def work(piece: range) -> int:
        begun.append(piece[0])
        return piece[0]

    results = fold_blocks(work, range(10**9), executor=FOUR, chunk=1)
    for taken in range(1, 50):
        next(results)
        assert len(begun) <= taken - 1 + executor_module.AHEAD * 4
    results.close()


@pytest.mark.parametrize("executor", [ONE, TWO])
def test_an_exception_of_the_work_is_raised_where_its_result_was_due(executor):
    results = fold_blocks(refuses, range(10), executor=executor, chunk=1)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ModelError, match="block 5 is refused"):
        next(results)


def test_nothing_further_starts_after_an_exception():
    begun: list[int] = []

    def work(piece: range) -> int:
        begun.append(piece[0])
        return refuses(piece)

    with pytest.raises(ModelError):
        list(fold_blocks(work, range(10**6), executor=TWO, chunk=1))
    assert len(begun) <= 5 + 1 + executor_module.AHEAD * 2


@pytest.fixture
def ctrl_c():
    """SIGINT raises KeyboardInterrupt, even where a shell started the tests with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_ends_the_fold_at_once_and_what_was_yielded_stands(ctrl_c):
    release, taken = threading.Event(), []

    def work(piece: range) -> int:
        if piece[0] == 3:
            # The main thread now waits for this piece: the moment a user presses Ctrl-C.
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            release.wait(60)
        return piece[0]

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        for result in fold_blocks(work, range(10**6), executor=TWO, chunk=1):
            taken.append(result)
    waited = time.monotonic() - begun
    release.set()
    assert taken == list(range(len(taken)))
    assert len(taken) <= 3
    assert waited < 50  # piece 3 was still running


def test_an_unknown_executor_is_answered_with_the_nearest_one():
    with pytest.raises(ModelError, match=r"unknown executor 'thread'\. Did you mean 'threads'\?"):
        Executor("thread")


@pytest.mark.parametrize("workers", [0, -1, 1.5])
def test_an_executor_without_a_worker_is_refused(workers):
    with pytest.raises(ModelError, match="whole number of at least 1"):
        Executor(workers=workers)


@pytest.mark.parametrize("chunk", [0, -4, 0.5])
def test_a_chunk_without_a_block_is_refused(chunk):
    with pytest.raises(ModelError, match="at least 1"):
        fold_blocks(sum, range(4), chunk=chunk)


def test_a_missing_ray_is_answered_with_the_line_that_installs_it(monkeypatch):
    load = builtins.__import__

    def without_ray(name, *args, **kwargs):
        if name == "ray":
            raise ImportError(name)
        return load(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(OffswitchError, match=r"pip install 'offswitch\[cluster\]'"):
        list(fold_blocks(sum, range(4), executor=Executor("ray")))


def test_tasks_of_a_cluster_last_half_a_second_or_more():
    for seconds in (0.9, 0.5, 0.2, 0.003, 0.0002):
        assert _group_size(seconds) * seconds >= 0.5
        assert (_group_size(seconds) - 1) * seconds < 0.5
    assert _group_size(0.0) == 4096


@pytest.fixture
def by_value(cluster):
    """What this file defines travels whole: the workers cannot import a test by its name."""
    import ray

    this = sys.modules[__name__]
    ray.cloudpickle.register_pickle_by_value(this)
    yield
    ray.cloudpickle.unregister_pickle_by_value(this)


@pytest.mark.slow
@pytest.mark.usefixtures("by_value")
def test_two_ray_workers_give_the_bytes_of_one_process(cluster):
    work = functools.partial(matrix_powers, 3)
    alone = list(fold_blocks(work, range(60), executor=ONE))
    remote = fold_blocks(work, range(60), executor=Executor("ray", workers=2))
    assert list(remote) == alone
    assert cluster.cluster_resources()["CPU"] == 2
    # The second call finds the cluster that runs.
    assert list(fold_blocks(work, range(8), executor=Executor("ray"))) == alone[:2]


@pytest.mark.slow
@pytest.mark.usefixtures("by_value")
def test_an_exception_on_the_cluster_is_the_exception_of_the_work():
    with pytest.raises(ModelError, match="block 5 is refused"):
        list(fold_blocks(refuses, range(8), executor=Executor("ray", workers=2)))


@pytest.mark.slow
@pytest.mark.usefixtures("by_value")
def test_a_worker_of_the_cluster_that_dies_is_reported():
    with pytest.raises(OffswitchError, match="a worker of the Ray cluster died"):
        list(fold_blocks(exits, range(4), executor=Executor("ray", workers=2)))
