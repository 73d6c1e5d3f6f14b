"""Trees that do not want to end: `python -I -S hostile.py daemons|bomb|calm COUNT [SECONDS]`.

Bounded three ways: a pipe of COUNT tokens, one held by every living process; an end on the
monotonic clock that every process keeps by itself; and whatever limit the caller adds.
"""

import contextlib
import os
import random
import signal
import sys
import time

SECONDS = 60.0


def unstoppable() -> None:
    """A session of its own, and every signal that can be ignored, ignored."""
    with contextlib.suppress(PermissionError):  # the first process may have one already
        os.setsid()
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)


def lurk(end: float) -> None:
    while (left := end - time.monotonic()) > 0:
        time.sleep(left)
    os._exit(0)


def daemons(count: int, end: float) -> None:
    for _ in range(count):
        middle = os.fork()
        if not middle:
            os.setsid()
            if os.fork():
                os._exit(0)
            unstoppable()
            lurk(end)
        os.waitpid(middle, 0)


def bomb(count: int, end: float) -> None:
    """A fifth lurk; the rest fork, begin a session and end at random, up to COUNT alive."""
    tokens_in, tokens_out = os.pipe()
    os.set_blocking(tokens_in, False)
    os.write(tokens_out, b"." * count)
    daemons(count // 5, end)
    os.read(tokens_in, count // 5)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    while time.monotonic() < end:
        try:
            os.read(tokens_in, 1)
        except BlockingIOError:
            if random.random() < 0.05:
                os.write(tokens_out, b".")
                os._exit(0)
            time.sleep(0.02)
            continue
        try:
            pid = os.fork()
        except OSError:
            os.write(tokens_out, b".")
            time.sleep(0.02)
            continue
        if not pid:
            unstoppable()
            random.seed()
    os._exit(0)


def main() -> None:
    kind, count = sys.argv[1], int(sys.argv[2])
    end = time.monotonic() + float(sys.argv[3] if len(sys.argv) > 3 else SECONDS)
    if kind == "bomb":
        first = os.fork()
        if not first:
            bomb(count, end)
    elif kind == "daemons":
        daemons(count, end)
    os.write(1, b"ready\n")
    unstoppable() if kind != "calm" else None
    lurk(end)


main()
