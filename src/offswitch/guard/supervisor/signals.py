"""Signals to the front as bytes on a descriptor, so that the loop meets them like all else."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

__all__ = ["caught_signals", "interruptible"]

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def caught_signals() -> Iterator[int | None]:
    """A descriptor with one byte for every stopping signal; None off the main thread.

    Only the main thread of Python receives signals; anywhere else they stay whoever's they were.
    A SIGHUP that is ignored stays ignored: under `nohup` a run outlives its terminal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    ours, theirs = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    taken = [n for n in STOPPING if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, lambda *_: None) for number in taken}
    before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    wakeup = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    try:
        yield ours
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(ours)
        os.close(theirs)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end what is in the block as Ctrl-C does: with everything put away. Once a
    run has begun its supervisor takes all three."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
