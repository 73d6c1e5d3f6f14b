"""What starting a program under guard costs over starting it bare.

  bare          fork, exec and wait
  bubblewrap    the same jail's namespaces and mounts alone: no entry program, no probes
  jail          the whole jail of this machine's highest tier, without the probes
  jail, tested  the same with the probes tried from inside, before the program: what a run does
  no group      the tested jail without its control groups: tier 2
  one process   the tested jail, forked by this large process and not by a run's small spawner
  guard run     `offswitch guard run` from the shell, to its end: policy, supervisor, watchdog,
                sensors and ledger too (no target; a run, not a start)

Seconds on the clock to the program's end, and processor seconds of everything that ran for it
(this process adopts orphans, so that the jail's init is counted; of the spawner's children the
kernel tells hundredths of a second, so those are means). The kinds take turns. The overhead is the
median of paired differences, with a 95 % interval by 2000 bootstrap draws.

`python benchmarks/guard_launch.py [TRIALS] [--program PATH] [--json]`. Exit code 1 where the
tested jail's overhead on the clock is above 25 ms.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import ctypes
import functools
import json
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any  # plain JSON values

from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "guard" / "jail"))

from jails import ORDINARY, folders, planned

from offswitch.guard.jail import inside
from offswitch.guard.jail.bait import laid_bait
from offswitch.guard.jail.cgroups import run_group
from offswitch.guard.jail.descriptors import JailFds
from offswitch.guard.jail.host import Host, inspect_host
from offswitch.guard.jail.inside.probes.bait import Bait
from offswitch.guard.jail.launch import launch, open_plan, read_report, require_started
from offswitch.guard.jail.plan import JailPlan
from offswitch.guard.stop import wire
from offswitch.guard.stop.launch import LaunchOrder, order_fields

TARGET_MS = 25.0
_PR_SET_CHILD_SUBREAPER = 36
SPAWNER = """
import socket, sys
from offswitch.guard.stop import wire
from offswitch.guard.stop.spawner import start_spawner
with socket.socket(fileno=int(sys.argv[1])) as asked:
    pid, orders = start_spawner()
    wire.send(asked, {"pid": pid}, (orders.fileno(),))
orders.close()
sys.stdin.read()
"""
PATIENCE_S = 30.0
POLICY = "version: 1\njail: {workspace: WORK}\nrules: []\n"
Cost = tuple[float, float]
"""Milliseconds on the clock, and of processors."""


class Spawner:
    """A run's spawner, started as the watchdog starts it: by a small process."""

    def __init__(self) -> None:
        ours, theirs = wire.pair()
        command = [sys.executable, "-c", SPAWNER, str(theirs.fileno())]
        self.keeper = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.PIPE)
        theirs.close()
        message = wire.receive(ours)
        assert message is not None
        self.pid = message.fields["pid"]
        self.orders = socket.socket(fileno=message.fds[0])

    def processors(self) -> float:
        """Seconds that it and what it buried have used."""
        fields = Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def run(self, plan: JailPlan, bait: Bait | None) -> None:
        """From the order to the program's end, as a supervisor gives it."""
        opened = open_plan(plan, bait)
        order = LaunchOrder(
            argv=plan.argv, environment=plan.environment,
            fds={**opened.child, 0: 0, 1: 1, 2: 2}, info_fd=JailFds.INFO,
            cgroup_procs=plan.group.enter_files if plan.group else (),
            uid=plan.uid, gid=plan.uid,
        )  # fmt: skip
        wire.send(self.orders, {"order": order_fields(order)}, tuple(order.fds.values()))
        opened.close_child_ends()
        told = self._told("launched")
        end = time.monotonic() + PATIENCE_S
        if not read_report(opened.report, end).ready:
            raise SystemExit("the jail did not get ready")
        os.write(opened.go, b"g")
        require_started(opened.report, end)
        for fd in (*told.fds, *self._told("exited").fds, opened.report, opened.go):
            os.close(fd)

    def _told(self, kind: str) -> wire.Message:
        message = wire.receive(self.orders)
        if message is None or message.fields["type"] != kind:
            raise SystemExit(f"the spawner said {message}, expected {kind!r}")
        return message


def processors(spawner: Spawner) -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used) + spawner.processors()


def adopted(spawner: Spawner) -> None:
    """Wait for every orphan that became this process's child."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while {int(pid) for pid in children.read_text(encoding="ascii").split()} - {spawner.keeper.pid}:
        os.waitpid(-1, 0)


def cost_of(act: Callable[[], None], spawner: Spawner) -> Cost:
    used, begun = processors(spawner), time.perf_counter()
    act()
    took = time.perf_counter() - begun
    adopted(spawner)
    return 1e3 * took, 1e3 * (processors(spawner) - used)


def bare(program: Sequence[str]) -> None:
    pid = os.posix_spawn(program[0], program, {})
    os.waitpid(pid, 0)


def bubblewrap(program: Sequence[str]) -> None:
    flags = ["--unshare-all", "--disable-userns", "--unshare-user", "--die-with-parent",
             "--new-session", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # fmt: skip
    binds = [word for path in ("/usr", "/lib", "/lib64", "/bin", "/etc/ssl")
             if Path(path).exists() for word in ("--ro-bind", path, path)]  # fmt: skip
    bare(["/usr/bin/bwrap", *flags, *binds, "--", *program])


def jail(
    program: Sequence[str],
    host: Host,
    spawner: Spawner,
    start: Callable[[JailPlan, Bait | None], None],
    *,
    tested: bool = True,
    grouped: bool = True,
) -> Cost:
    """Planning is done once a run and left out; the group, the bait and the burial are in."""
    with planned(tuple(program), host=host) as whole:
        plan = whole if grouped else replace(whole, group=None)

        def act() -> None:
            with contextlib.ExitStack() as stack:
                stack.enter_context(run_group(plan.group))
                start(plan, stack.enter_context(laid_bait(plan)) if tested else None)

        return cost_of(act, spawner)


def in_one_process(plan: JailPlan, bait: Bait | None) -> None:
    with launch(plan, bait) as one:
        one.start_agent()
        os.waitpid(one.pid, 0)


def whole_run(program: Sequence[str], spawner: Spawner) -> Cost:
    with folders(ORDINARY) as (workspace, state):
        Path(state, "policy.yaml").write_text(POLICY.replace("WORK", workspace))
        command = [sys.executable, "-c", "from offswitch.cli import main; main()", "guard", "run",
                   "--policy", f"{state}/policy.yaml", "--", *program]  # fmt: skip

        def act() -> None:
            done = subprocess.run(command, env={**os.environ, "XDG_STATE_HOME": state},
                                  capture_output=True, check=False)  # fmt: skip
            if done.returncode:
                raise SystemExit(done.stderr.decode())

        return cost_of(act, spawner)


def interval(differences: Sequence[float], seed: int = 1) -> tuple[float, float, float]:
    """The median and its 95 % interval."""
    draw = random.Random(seed)
    drawn = sorted(
        statistics.median(draw.choices(differences, k=len(differences))) for _ in range(2000)
    )
    return statistics.median(differences), drawn[49], drawn[1949]


def measured(trials: int, program: Sequence[str]) -> dict[str, list[Cost]]:
    host, spawner = inspect_host(), Spawner()
    compileall.compile_dir(inside.__path__[0], quiet=1)  # as every installed package is
    jailed = functools.partial(jail, program, host, spawner)
    kinds: dict[str, Callable[[], Cost]] = {
        "bare": lambda: cost_of(lambda: bare(program), spawner),
        "bubblewrap": lambda: cost_of(lambda: bubblewrap(program), spawner),
        "jail": lambda: jailed(spawner.run, tested=False),
        "jail, tested": lambda: jailed(spawner.run),
        "no group": lambda: jailed(spawner.run, grouped=False),
        "one process": lambda: jailed(in_one_process),
    }
    for act in kinds.values():  # the first of each reads files that the others find in memory
        act()
    found: dict[str, list[Cost]] = {name: [] for name in kinds}
    for _ in range(trials):
        for name, act in kinds.items():
            found[name].append(act())
    found["guard run"] = [whole_run(program, spawner) for _ in range(min(5, trials))]
    return found


def rows_of(found: dict[str, list[Cost]]) -> list[dict[str, Any]]:
    rows = []
    for name, costs in found.items():
        pairs = list(zip(costs, found["bare"], strict=False))
        over, low, high = interval([one[0] - other[0] for one, other in pairs])
        used = statistics.mean([one[1] - other[1] for one, other in pairs])
        rows.append({
            "name": name, "trials": len(costs),
            "clock_ms": statistics.median([one[0] for one in costs]),
            "cpu_ms": statistics.mean([one[1] for one in costs]),
            "over_ms": over, "low_ms": low, "high_ms": high, "over_cpu_ms": used,
            "target_ms": TARGET_MS if name == "jail, tested" else None,
        })  # fmt: skip
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trials", type=int, nargs="?", default=40)
    parser.add_argument("--program", default="/bin/true")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    load = os.getloadavg()[0]
    rows = rows_of(measured(told.trials, [told.program]))
    held = next(one for one in rows if one["name"] == "jail, tested")
    met = held["over_ms"] <= TARGET_MS
    if told.json:
        print(json.dumps({"rows": rows, "load": load, "met": met}, indent=1))
        return 0 if met else 1
    print(f"{told.program}, load average {load:.1f} on {os.cpu_count()} cores, uid {os.getuid()}")
    print(f"{'':14}{'clock ms':>9}{'CPU ms':>8}{'over bare, clock ms':>28}{'CPU ms':>8}{'n':>5}")
    for one in rows:
        over = f"{one['over_ms']:.1f} ({one['low_ms']:.1f} to {one['high_ms']:.1f})"
        verdict = "" if one["target_ms"] is None else (
            f"  target {TARGET_MS:.0f}: {'met' if met else 'MISSED'}"
        )  # fmt: skip
        print(f"{one['name']:14}{one['clock_ms']:9.1f}{one['cpu_ms']:8.1f}{over:>28}"
              f"{one['over_cpu_ms']:8.1f}{one['trials']:5}{verdict}")  # fmt: skip
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
