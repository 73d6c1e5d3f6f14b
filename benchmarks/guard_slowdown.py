"""How much slower ordinary work runs under guard, once it has started.

  compile   a C compiler on a generated file, or byte code of the standard library without one
  test      120 unit tests with temporary files, in one process
  spawn     100 short programs one after another: the worst case, nothing but system calls

Four workers: bare, bare once more, in the jail alone and in a whole guarded run (supervisor,
watchdog, sensors, ledger), as the same user in the same kind of folder. They take turns of a third
of a second, told through a pipe in the folder, so that a machine that grows busy slows all of them,
and are started anew after every 24: one process may be faster than its twin for all its life. In
the others' turns the guard's own processes are stopped: they cost only the guarded work, and what
was due meanwhile is done before a turn counts. Every work times itself. Slowdown is the geometric
mean of its ratios on the clock to both bare workers of its round, a tenth of them cut off at either
end, with a 95 % interval by 2000 bootstrap draws; beside it that of processor seconds. `bare again`
is one bare worker against the other, and so no slowdown: so far off may the others be as well.

`python benchmarks/guard_slowdown.py [PAIRS] [--json]`; 30 minutes for 900. Exit code 1 where the
compile or the test work is slower by 3 % or more with its whole interval, 3 where the interval
holds 3 % so that more pairs are needed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import random
import select
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any  # plain JSON values

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "guard" / "jail"))

from jails import MIB, ORDINARY, folders

from offswitch.guard.jail.cgroups import run_group
from offswitch.guard.jail.host import Host, inspect_host
from offswitch.guard.jail.launch import launch
from offswitch.guard.jail.plan import plan_jail
from offswitch.guard.jail.reach import interpreter_for
from offswitch.guard.jail.settings import JailPolicy, Limits

TARGET = 0.03
LIFE = 24
"""Turns of one set of workers."""
LIMITS = Limits(memory=1024 * MIB, processes=100)
POLICY = (
    "version: 1\njail: {workspace: WORK, limits: {memory: 1GiB, processes: 100}}\nrules: []\n"
    "watchdog: {heartbeat: 50ms, timeout: 30s}\n"  # a busy machine must not end the measurement
)
PIPES = ("go", "said")
PATIENCE_S = 60.0
WORK = r"""
import compileall, json, os, py_compile, resource, shutil, subprocess, sys, tempfile, time, unittest
os.chdir(sys.argv[1])
C = "#include <stdio.h>\n" + "".join(
    "int f%d(int a) { int s = 0; for (int i = 0; i < a; i++) s += i * %d; return s; }\n" % (i, i)
    for i in range(50))

def compile_():
    cc = shutil.which("cc")
    if cc:
        with open("a.c", "w") as file:
            file.write(C)
        subprocess.run([cc, "-O1", "-c", "a.c", "-o", "a.o"], check=True)
        return
    for name in ("argparse", "typing", "inspect", "tarfile", "decimal"):
        path = os.path.join(os.path.dirname(os.__file__), name + ".py")
        if os.path.exists(path):
            py_compile.compile(path, cfile="a.pyc")

class Case(unittest.TestCase):
    def runTest(self):
        with tempfile.TemporaryDirectory(dir=".") as folder:
            for i in range(3):
                with open(folder + "/%d" % i, "w") as file:
                    json.dump({"n": list(range(300))}, file)
                with open(folder + "/%d" % i) as file:
                    self.assertEqual(len(json.load(file)["n"]), 300)

def test():
    for _ in range(120):
        result = unittest.TestResult()
        Case().run(result)
        assert result.wasSuccessful()

def spawn():
    for _ in range(100):
        subprocess.run(["/bin/true"], check=True)

def used():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)

ACTS = {"compile": compile_, "test": test, "spawn": spawn}
with open("go") as go, open("said", "w") as said:
    for line in go:
        begun, cpu = time.perf_counter(), used()
        ACTS[line.strip()]()
        said.write(json.dumps([time.perf_counter() - begun, used() - cpu]) + "\n")
        said.flush()
"""
WORKS = ("compile", "test", "spawn")


class Worker:
    """A started worker, told what to do by pipes in its folder."""

    def __init__(self, folder: str, own: Callable[[], list[int]] = list) -> None:
        self._go, self._said = (os.open(f"{folder}/{name}", os.O_RDWR) for name in PIPES)
        self.own = own
        """The guard's own processes, which run in its turns alone."""

    def turn(self) -> dict[str, list[float]]:
        """Each work in its turn; what was due while the guard stood still goes by before."""
        self._moved(signal.SIGCONT)
        self._did("spawn")
        took = {work: self._did(work) for work in WORKS}
        self._moved(signal.SIGSTOP)
        return took

    def _moved(self, number: int) -> None:
        for pid in self.own():
            os.kill(pid, number)

    def _did(self, work: str) -> list[float]:
        """Seconds on the clock and of processors."""
        os.write(self._go, f"{work}\n".encode())
        said = b""
        while not said.endswith(b"\n"):
            if not select.select([self._said], [], [], PATIENCE_S)[0]:
                raise SystemExit(f"the {work} work did not answer within {PATIENCE_S:.0f} s")
            said += os.read(self._said, 4096)
        took: list[float] = json.loads(said)
        return took


def piped(folder: str) -> None:
    for name in PIPES:
        os.mkfifo(f"{folder}/{name}")
        if os.getuid() == 0:
            os.chown(f"{folder}/{name}", ORDINARY, ORDINARY)


@contextlib.contextmanager
def bare(python: str) -> Iterator[Worker]:
    with folders() as (workspace, _):
        piped(workspace)
        person = {"user": ORDINARY, "group": ORDINARY, "extra_groups": ()}
        with subprocess.Popen(
            [python, "-I", "-S", "-c", WORK, workspace],
            env={"PATH": "/usr/bin:/bin", "TMPDIR": workspace},
            **(person if os.getuid() == 0 else {}),  # type: ignore[arg-type]
        ) as process:
            try:
                yield Worker(workspace)
            finally:
                process.kill()


@contextlib.contextmanager
def jailed(python: str, host: Host) -> Iterator[Worker]:
    with folders() as (workspace, run_dir):
        piped(workspace)
        policy = JailPolicy(workspace=workspace, limits=LIMITS)
        plan = plan_jail(policy, host, (python, "-I", "-S", "-c", WORK, "/work"), run_dir)
        with run_group(plan.group), launch(plan, None) as jail:
            jail.start_agent()
            yield Worker(workspace)


@contextlib.contextmanager
def guarded(python: str) -> Iterator[Worker]:
    with folders() as (workspace, state):
        piped(workspace)
        Path(state, "policy.yaml").write_text(POLICY.replace("WORK", workspace))
        command = [sys.executable, "-c", "from offswitch.cli import main; main()", "guard", "run",
                   "--policy", f"{state}/policy.yaml", "--", python, "-I", "-S", "-c", WORK,
                   "/work"]  # fmt: skip
        with subprocess.Popen(
            command, stderr=subprocess.DEVNULL, env={**os.environ, "XDG_STATE_HOME": state}
        ) as process:
            worker = Worker(workspace, lambda: below(process.pid))
            try:
                yield worker
            finally:  # nobody waits for what is stopped
                for pid in worker.own():
                    os.kill(pid, signal.SIGCONT)
                process.terminate()


def below(root: int) -> list[int]:
    """A process and all it started but the jail."""
    children: dict[int, list[int]] = {}
    names = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid, words = int(entry.name), (entry / "stat").read_text().rpartition(")")
            names[pid] = words[0].partition("(")[2]
            children.setdefault(int(words[2].split()[1]), []).append(pid)
    found, left = [], [root]
    while left:
        one = left.pop()
        if names.get(one, "bwrap") != "bwrap":
            found.append(one)
            left += children.get(one, [])
    return found


def ratio(logs: Sequence[float], seed: int = 1) -> tuple[float, float, float]:
    """Slowdown as a share, and its 95 % interval, of the logarithms of ratios."""
    draw = random.Random(seed)
    drawn = sorted(middle(draw.choices(logs, k=len(logs))) for _ in range(2000))
    low, high = drawn[49], drawn[1949]
    return math.expm1(middle(logs)), math.expm1(low), math.expm1(high)


def middle(values: Sequence[float]) -> float:
    """The mean without a tenth at either end: a neighbour's burst is none of the guard's."""
    cut = len(values) // 10
    return statistics.mean(sorted(values)[cut : len(values) - cut])


Turns = dict[tuple[str, str], list[float]]
"""By work and worker, what one turn took."""


def measured(pairs: int) -> list[Turns]:
    host = inspect_host()
    python = interpreter_for(host, ORDINARY)
    found: list[Turns] = []
    while len(found) < pairs:
        with contextlib.ExitStack() as stack:
            workers = {
                "bare": stack.enter_context(bare(python)),
                "bare again": stack.enter_context(bare(python)),
                "jail": stack.enter_context(jailed(python, host)),
                "guard run": stack.enter_context(guarded(python)),
            }
            for worker in workers.values():  # the first turn reads what the others find in memory
                worker.turn()
            for number in range(LIFE):
                found.append(taken(workers, number))
    return found


def taken(workers: dict[str, Worker], number: int) -> Turns:
    """A turn of each; their order turns, so that nobody always follows the same other."""
    order = [*workers][number % len(workers) :] + [*workers][: number % len(workers)]
    took = {name: workers[name].turn() for name in order}
    return {(work, name): took[name][work] for work in WORKS for name in order}


def logs_of(one: Turns, work: str, kind: str, at: int) -> float:
    """The logarithm of one round's ratio to bare."""
    bares = [math.log(one[work, name][at]) for name in ("bare", "bare again")]
    if kind == "bare again":
        return bares[1] - bares[0]
    return math.log(one[work, kind][at]) - statistics.mean(bares)


def rows_of(found: list[Turns]) -> list[dict[str, Any]]:
    rows = []
    for kind in ("bare again", "jail", "guard run"):
        for work in WORKS:
            clock, cpu = (ratio([logs_of(one, work, kind, at) for one in found]) for at in (0, 1))
            rows.append({
                "kind": kind, "work": work, "pairs": len(found), "slowdown": clock[0],
                "low": clock[1], "high": clock[2], "cpu": cpu[0], "cpu_low": cpu[1],
                "cpu_high": cpu[2],
                "bare_s": statistics.median([one[work, "bare"][0] for one in found]),
                "target": None if work == "spawn" or kind == "bare again" else TARGET,
            })  # fmt: skip
    return rows


def verdict(row: dict[str, Any]) -> str:
    if row["target"] is None:
        return "-"
    if row["high"] < row["target"]:
        return "met"
    return "MISSED" if row["low"] >= row["target"] else "not enough pairs"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=int, nargs="?", default=900)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    load = os.getloadavg()[0]
    rows = [{**row, "verdict": verdict(row)} for row in rows_of(measured(told.pairs))]
    words = {row["verdict"] for row in rows}
    code = 1 if "MISSED" in words else 3 if "not enough pairs" in words else 0
    if told.json:
        print(json.dumps({"rows": rows, "load": load, "met": code == 0}, indent=1))
        return code
    print(
        f"load average {load:.1f} on {os.cpu_count()} cores; slower than bare, {told.pairs} pairs"
    )
    print(f"{'under':12}{'work':10}{'bare s':>8}{'clock %':>26}{'CPU %':>26}   target 3 %")
    for row in rows:
        clock, cpu = (
            f"{100 * row[a]:+.1f} ({100 * row[b]:+.1f} to {100 * row[c]:+.1f})"
            for a, b, c in (("slowdown", "low", "high"), ("cpu", "cpu_low", "cpu_high"))
        )
        print(f"{row['kind']:12}{row['work']:10}{row['bare_s']:8.2f}{clock:>26}{cpu:>26}   "
              f"{row['verdict']}")  # fmt: skip
    return code


if __name__ == "__main__":
    sys.exit(main())
