"""What the sensors of a guarded run cost, and how soon they see something.

  heartbeat         20 Hz of three control-group counters, decoys and reports: share of one core,
                    on the supervisor's own thread, against the target of 1 %
  processes         the same counters summed over /proc, for a run of 20 and of 200 processes, and
                    the share of a core that `next_pause` then leaves them
  psutil            one sum over the same processes by psutil, where it is installed
  tree              a first look and a look without change at a tree of 5,000 files, and MB/s of
                    the search for copies in new files
  alarms            nanoseconds per sign of the bet, false alarms of 2,000 null runs with a look
                    after every sign, and the detection delay at three rates of bad signs
  canary            the kill switch's proof of itself: latency over 30 trials

`python benchmarks/guard_sensors.py`; about a minute.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "guard" / "sensors"))

from corpus import place, put

from offswitch.guard.drills.canary_kill import prove_kill
from offswitch.guard.jail.cgroups import plan_group, run_group
from offswitch.guard.jail.host import inspect_host
from offswitch.guard.jail.settings import Limits
from offswitch.guard.sensors.alarms import advance_bet, is_alarm, start_bet
from offswitch.guard.sensors.counters import (
    GroupCounters,
    ProcCounters,
    below,
    next_pause,
)
from offswitch.guard.sensors.fingerprint import known_files
from offswitch.guard.sensors.hoarding import Stock
from offswitch.guard.sensors.run_sensors import RunSensors, SensorSettings
from offswitch.guard.sensors.self_copy import Piece, search, start_search
from offswitch.guard.sensors.tree_look import TreeSettings, look_at_tree, start_tree

HERTZ, TARGET = 20, 0.01


def cpu_of(call: Callable[[], object], times: int) -> float:
    """Processor seconds of one call, mean: what other work on the machine does not change."""
    begun = time.thread_time()
    for _ in range(times):
        call()
    return (time.thread_time() - begun) / times


def row(name: str, figure: str, note: str = "") -> None:
    print(f"{name:44}{figure:>16}   {note}", flush=True)


@contextlib.contextmanager
def crowd(count: int) -> Iterator[int]:
    """A process with so many children."""
    script = f"i=0; while [ $i -lt {count} ]; do sleep 30 & i=$((i+1)); done; echo r; wait"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE) as parent:
        try:
            assert parent.stdout is not None
            assert parent.stdout.readline() == b"r\n"
            yield parent.pid
        finally:
            for pid in below(parent.pid)[::-1]:
                os.kill(pid, 9)


def heartbeat(folder: Path) -> None:
    group = plan_group(inspect_host().cgroups, "sensor-bench", Limits())
    if group is None:
        row("heartbeat", "not measured", "no control group can be made by this user")
        return
    stocks = tuple(Stock(name, 1.0, 2.0, 1e15) for name in ("memory", "processes", "cpu"))
    with run_group(group):
        with GroupCounters(group.folders) as counters:
            took = cpu_of(counters.look, 5000)
            row("three group counters", f"{1e6 * took:.1f} us", f"{counters.look()}")
        settings = SensorSettings(
            tree=TreeSettings(workspace=str(folder)), stocks=stocks, groups=group.folders,
            sample_s=0.0, turn_s=1.0,
        )  # fmt: skip
        with RunSensors(settings, lambda event: None, lambda: None) as run:
            took = cpu_of(run.beat, 3000)
    share = took * HERTZ
    word = "below" if share < TARGET else "ABOVE"
    row("heartbeat of all sensors", f"{1e6 * took:.1f} us", "")
    row(f"  at {HERTZ} Hz", f"{100 * share:.3f} %", f"{word} the target of {100 * TARGET:g} %")


def processes(count: int) -> None:
    with crowd(count) as parent:
        counters = ProcCounters(parent)
        took = cpu_of(counters.look, 20)
        pause = next_pause(took)
        row(f"/proc sums, {count + 1} processes", f"{1e3 * took:.2f} ms",
            f"looked at every {pause:.2f} s: {100 * took / pause:.2f} % of a core")  # fmt: skip
        try:
            import psutil
        except ImportError:
            row("  psutil", "not measured", "psutil is not installed")
            return

        def by_psutil() -> None:
            top = psutil.Process(parent)
            for one in [top, *top.children(recursive=True)]:
                one.memory_info()
                one.cpu_times()

        row("  psutil, the same figures", f"{1e3 * cpu_of(by_psutil, 5):.2f} ms")


def tree(folder: Path) -> None:
    at = place(folder)
    for number in range(5000):
        put(at.work / f"src/{number % 50}/f{number}.py", f"x = {number}\n" * 30)
    begun = time.process_time()
    memory = start_tree(at.settings)
    row("first look at 5,000 files", f"{1e3 * (time.process_time() - begun):.0f} ms")
    begun = time.process_time()
    look_at_tree(memory)
    row("a look without change", f"{1e3 * (time.process_time() - begun):.0f} ms",
        "in the sensor process, held below a tenth of a core")  # fmt: skip
    known = known_files({path.name: path.read_bytes() for path in at.own})
    source = b"".join(path.read_bytes() for path in sorted(Path(os.__file__).parent.glob("*.py")))
    for name, data in (("source text", source[:2_000_000]), ("noise", os.urandom(2_000_000))):
        begun = time.process_time()
        search(start_search(known), [Piece("x", data)])
        speed = len(data) / 1e6 / (time.process_time() - begun)
        row(f"search for copies, {name}", f"{speed:.1f} MB/s")


def first_alarm(signs: Iterator[float], rate: float, alpha: float) -> int | None:
    bet = start_bet(rate)
    for number, sign in enumerate(signs, start=1):
        bet = advance_bet(bet, sign)
        if is_alarm(bet, alpha):
            return number
    return None


def alarms() -> None:
    bet = start_bet(0.05)
    row("one sign of the bet", f"{1e6 * cpu_of(lambda: advance_bet(bet, 0.0), 20_000):.1f} us")
    for alpha in (0.05, 0.01):
        false = 0
        for seed in range(2000):
            draw = random.Random(seed)
            signs = (float(draw.random() < 0.05) for _ in range(300))
            false += first_alarm(signs, 0.05, alpha) is not None
        row(f"false alarms at alpha {alpha:g}, 2,000 null runs", f"{100 * false / 2000:.2f} %",
            "300 signs each, looked at after every one")  # fmt: skip
    for bad in (0.2, 0.5, 0.9):
        for good in (0, 300):
            delays = []
            for seed in range(200):
                draw = random.Random(seed)
                rates = [0.05] * good + [bad] * 2000
                at = first_alarm((float(draw.random() < r) for r in rates), 0.05, 0.01)
                delays.append((at or len(rates)) - good)
            delays.sort()
            row(f"delay at {bad:g} bad after {good} good signs", f"{delays[100]} signs",
                f"median; 95 % within {delays[190]}, alpha 0.01, allowed rate 0.05")  # fmt: skip


def canary(trials: int = 30) -> None:
    host = inspect_host()
    proofs = [prove_kill(host) for _ in range(trials)]
    took = sorted(1e3 * one.seconds for one in proofs if one.verified and one.seconds is not None)
    if not took:
        row("canary kill", "not verified", proofs[0].problem)
        return
    row("canary kill, decision to proof", f"{took[len(took) // 2]:.1f} ms",
        f"median; worst {took[-1]:.1f} ms; verified {len(took)}/{trials}")  # fmt: skip


def main() -> None:
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, uid {os.getuid()}")
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        heartbeat(Path(one))
        processes(20)
        processes(200)
        tree(Path(two))
    alarms()
    canary()
    print(f"load average at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
