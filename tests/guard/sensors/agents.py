"""Small programs in a jail of their own, told what to do line by line; each ends in a minute."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from offswitch.guard.sensors.population import Population
from offswitch.guard.sensors.process_table import look_at_population

PROGRAM = """
import mmap, os, signal, socket, subprocess, sys, threading, time
threading.Timer(60, lambda: os._exit(0)).start()
held, children, plugs = None, [], []
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(64)

def daemon():
    if not os.fork():
        os.setsid()
        if os.fork():
            os._exit(0)
        signal.alarm(60)
        while True:
            time.sleep(5)
    os.wait()

for line in sys.stdin:
    word, *rest = line.split()
    if word == "hold":
        held = mmap.mmap(-1, int(rest[0]), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for at in range(0, len(held), 4096):
            held[at] = 1
    elif word == "daemon":
        daemon()
    elif word == "children":
        children = [subprocess.Popen(["sleep", "60"]) for _ in range(int(rest[0]))]
    elif word == "reap":
        for child in children:
            child.kill(); child.wait()
    elif word == "connect":
        plugs = [socket.create_connection(server.getsockname()) for _ in range(int(rest[0]))]
    elif word == "hang-up":
        for plug in plugs:
            other = server.accept()[0]
            plug.close(); other.close()
        server.close()
    elif word == "datagrams":
        plugs = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(int(rest[0]))]
        for plug in plugs:
            plug.connect(("127.0.0.1", 9))
    elif word == "touch":
        open(rest[0], "a").write("x")
    elif word == "read":
        open(rest[0]).read()
    elif word == "end":
        os._exit(0)
    print("done", flush=True)
os._exit(0)
"""


class Agent(NamedTuple):
    """A program in its own pid and network namespaces."""

    init: int
    outer: subprocess.Popen[bytes]

    def do(self, words: str) -> None:
        assert self.outer.stdin is not None
        assert self.outer.stdout is not None
        self.outer.stdin.write(words.encode() + b"\n")
        self.outer.stdin.flush()
        if words != "end":
            assert self.outer.stdout.readline() == b"done\n", words

    def look(self, root: tuple[int, int] | None = None) -> Population:
        return look_at_population(self.init, root)


@contextlib.contextmanager
def agent(workspace: Path | None = None) -> Iterator[Agent]:
    bwrap = shutil.which("bwrap")
    assert bwrap, "these tests need the package bubblewrap (>= 0.8)"
    shown = [] if workspace is None else ["--bind", str(workspace), "/work"]
    info_in, info_out = os.pipe()
    # bwrap ends with its first child; its init stays while anything is left, as a shell would.
    keep = ["/bin/sh", "-c", '"$@"; while :; do sleep 0.2; done', "sh"]
    with subprocess.Popen(
        [bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/",
         "--proc", "/proc", "--dev", "/dev", *shown, "--info-fd", str(info_out), "--as-pid-1",
         "--", *keep, os.path.realpath(sys.executable), "-I", "-S", "-c", PROGRAM],
        pass_fds=[info_out], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin"},
    ) as outer:  # fmt: skip
        os.close(info_out)
        with os.fdopen(info_in) as file:
            init = json.load(file)["child-pid"]
        try:
            one = Agent(init, outer)
            one.do("hold 1")
            yield one
        finally:
            outer.kill()


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)
