"""How much slower ordinary work runs under guard, once it has started.

  compile   a C compiler on generated files, or byte code of the standard library without one
  test      1000 unit tests with temporary files, in one process
  spawn     200 short programs one after another: the worst case, nothing but system calls

The work times itself after one round to warm up, so starting is not in it. Bare, in the jail alone
and in a whole guarded run (supervisor, watchdog, sensors, ledger) take turns, as the same user in
the same kind of folder. Slowdown is the geometric mean of paired ratios on the clock, with a 95 %
interval by 2000 bootstrap draws; beside it that of processor seconds.

`python benchmarks/guard_slowdown.py [PAIRS] [--json]`; a minute for 10. Exit code 1 where the
compile or the test work is slower by 3 % or more with its whole interval, 3 where the interval
holds 3 % so that more pairs are needed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any  # plain JSON values

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "guard" / "jail"))

from jails import MIB, ORDINARY, folders, output

from offswitch.guard.jail.host import Host, inspect_host
from offswitch.guard.jail.plan import plan_jail
from offswitch.guard.jail.reach import interpreter_for
from offswitch.guard.jail.settings import JailPolicy, Limits

TARGET = 0.03
LIMITS = Limits(memory=1024 * MIB, processes=100)
POLICY = (
    "version: 1\njail: {workspace: WORK, limits: {memory: 1GiB, processes: 100}}\nrules: []\n"
    "watchdog: {heartbeat: 50ms, timeout: 5s}\n"  # a busy machine must not end the measurement
)
WORK = r"""
import compileall, json, os, py_compile, resource, shutil, subprocess, sys, tempfile, time, unittest
os.chdir(sys.argv[1])
C = "#include <stdio.h>\n" + "".join(
    "int f%d(int a) { int s = 0; for (int i = 0; i < a; i++) s += i * %d; return s; }\n" % (i, i)
    for i in range(100))

def compile_():
    cc = shutil.which("cc")
    for number in range(3):
        if cc:
            with open("a%d.c" % number, "w") as file:
                file.write(C)
            subprocess.run([cc, "-O1", "-c", "a%d.c" % number, "-o", "a.o"], check=True)
        else:
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
    for _ in range(1000):
        result = unittest.TestResult()
        Case().run(result)
        assert result.wasSuccessful()

def spawn():
    for _ in range(200):
        subprocess.run(["/bin/true"], check=True)

def used():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)

said = {}
for name, act in (("compile", compile_), ("test", test), ("spawn", spawn)):
    act()
    begun, cpu = time.perf_counter(), used()
    act()
    said[name] = [time.perf_counter() - begun, used() - cpu]
print("SAID" + json.dumps(said))
"""


def read(text: str) -> dict[str, list[float]]:
    """What the work says of itself: seconds on the clock and of processors."""
    lines = [line for line in text.splitlines() if line.startswith("SAID")]
    if not lines:
        raise SystemExit(f"the work did not end: {text[:500]}")
    said: dict[str, list[float]] = json.loads(lines[0].removeprefix("SAID"))
    return said


def bare(python: str) -> dict[str, list[float]]:
    with folders() as (workspace, _):
        person = {"user": ORDINARY, "group": ORDINARY, "extra_groups": ()}
        done = subprocess.run(
            [python, "-I", "-S", "-c", WORK, workspace], capture_output=True, text=True,
            check=False, env={"PATH": "/usr/bin:/bin", "TMPDIR": workspace},
            **(person if os.getuid() == 0 else {}),  # type: ignore[arg-type]
        )  # fmt: skip
        return read(done.stdout + done.stderr)


def jailed(python: str, host: Host) -> dict[str, list[float]]:
    with folders() as (workspace, run_dir):
        policy = JailPolicy(workspace=workspace, limits=LIMITS)
        plan = plan_jail(policy, host, (python, "-I", "-S", "-c", WORK, "/work"), run_dir)
        return read(output(plan)[0])


def guarded(python: str) -> dict[str, list[float]]:
    with folders() as (workspace, state):
        Path(state, "policy.yaml").write_text(POLICY.replace("WORK", workspace))
        command = [sys.executable, "-c", "from offswitch.cli import main; main()", "guard", "run",
                   "--policy", f"{state}/policy.yaml", "--", python, "-I", "-S", "-c", WORK,
                   "/work"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env={**os.environ, "XDG_STATE_HOME": state})  # fmt: skip
        return read(done.stdout or done.stderr.rpartition("probes ")[2])


def ratio(pairs: Sequence[tuple[float, float]], seed: int = 1) -> tuple[float, float, float]:
    """Slowdown as a share, and its 95 % interval."""
    logs, draw = [math.log(one / other) for one, other in pairs], random.Random(seed)
    drawn = sorted(statistics.mean(draw.choices(logs, k=len(logs))) for _ in range(2000))
    return tuple(math.expm1(one) for one in (statistics.mean(logs), drawn[49], drawn[1949]))  # type: ignore[return-value]


def measured(pairs: int) -> list[dict[str, Any]]:
    host = inspect_host()
    python = interpreter_for(host, ORDINARY)
    kinds = {"bare": lambda: bare(python), "jail": lambda: jailed(python, host),
             "guard run": lambda: guarded(python)}  # fmt: skip
    found: dict[str, list[dict[str, list[float]]]] = {name: [] for name in kinds}
    for number in range(pairs):
        # The order turns, so that a machine that grows busy is nobody's fault.
        for name in sorted(kinds, key=lambda one: (list(kinds).index(one) + number) % 3):
            found[name].append(kinds[name]())
    rows = []
    for kind in ("jail", "guard run"):
        for work in found["bare"][0]:
            both = list(zip(found[kind], found["bare"], strict=True))
            clock = ratio([(one[work][0], other[work][0]) for one, other in both])
            cpu = ratio([(one[work][1], other[work][1]) for one, other in both])
            rows.append({
                "kind": kind, "work": work, "pairs": pairs, "slowdown": clock[0],
                "low": clock[1], "high": clock[2], "cpu": cpu[0], "cpu_low": cpu[1],
                "cpu_high": cpu[2],
                "bare_s": statistics.median([one[work][0] for one in found["bare"]]),
                "target": None if work == "spawn" else TARGET,
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
    parser.add_argument("pairs", type=int, nargs="?", default=10)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    load = os.getloadavg()[0]
    rows = [{**row, "verdict": verdict(row)} for row in measured(told.pairs)]
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
