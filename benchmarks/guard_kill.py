"""Seconds from the decision to a dead tree: the guard against what is usually done, in one run.

Two hostile trees, proven alive first: 200 daemons (double fork, own session, every signal
ignored) and a live fork bomb of about 300. They are ended by

  guard, namespace  `kill_tree` on a jailed tree: SIGKILL of its init, the proof, the stray scan
  guard, group      `kill_tree` on a tree in a cgroup of version 2 (where one can be made)
  process group     `os.killpg(..., SIGKILL)`, as `subprocess` users and test runners do
  psutil tree       `children(recursive=True)`, then kill each: the recipe of psutil's manual

The last two hold a tree as their users do, without a jail. Whoever is alive 0.3 s later is a
survivor, found by the environment it was started with; survivors are then killed, and a tree ends
by itself a minute after its start.

The trees are small C programs, as the targets were set for, and then Python processes, which the
kernel takes two to three times as long to bury. Those have the targets only where there is no C
compiler.

Then a freeze of 20 processes, by the group and by signals. Then the dead-man paths of a whole
supervised run with 50 daemons: from the signal to the supervisor or the watchdog until the
namespace is empty, at the default timeout of 250 ms.

`python benchmarks/guard_kill.py [TRIALS [PATH_TRIALS]] [--json]`, 100 of each unless told: half
an hour; psutil for its row. Exit code 1 where the guard misses a target or leaves a survivor.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any  # plain JSON values

TESTS = Path(__file__).parents[1] / "tests" / "guard"
sys.path[:0] = [str(TESTS / "stop"), str(TESTS / "supervisor")]

import fronts  # noqa: E402
from trees import UNIFIED, group, hostile, jailed, writable_root  # noqa: E402

from offswitch.guard.stop.freeze import freeze, thaw  # noqa: E402
from offswitch.guard.stop.kill import kill_tree  # noqa: E402
from offswitch.guard.stop.launch import Target  # noqa: E402
from offswitch.guard.stop.pidfd import pid_of  # noqa: E402
from offswitch.guard.stop.processes import has_mark, living  # noqa: E402

SETTLED_S = 0.3
V2 = writable_root("cgroup.kill", UNIFIED)
TARGETS_MS = {"200 daemons": (30.0, 150.0), "fork bomb ~300": (100.0, 500.0)}
"""Median and 99th percentile to reach."""
FREEZE_MS = 10.0
TREES = {"200 daemons": ("daemons", 200, 200), "fork bomb ~300": ("bomb", 300, 200)}
"""What the tree does, how many processes it asks for, and how many must be alive."""
C_SOURCE = TESTS / "hostile.c"
PATHS = [
    ("supervisor killed", "supervisor", signal.SIGKILL, 0.100),
    ("supervisor stopped", "supervisor", signal.SIGSTOP, 0.500),
    ("watchdog killed", "watchdog", signal.SIGKILL, 0.500),
    ("watchdog stopped", "watchdog", signal.SIGSTOP, 0.500),
    ("spawner killed", "spawner", signal.SIGKILL, 0.500),
]
Killer = Callable[[Target], float | None]
Trial = tuple[int, float | None, int]


def by_guard(target: Target) -> float | None:
    result = kill_tree(target)
    return result.seconds if result.verified else None


def by_process_group(target: Target) -> None:
    pid = pid_of(target.outer_pidfd or -1) or 0
    os.killpg(pid, signal.SIGKILL)


def by_psutil(target: Target) -> None:
    import psutil

    top = psutil.Process(pid_of(target.outer_pidfd or -1) or 0)
    for process in [*top.children(recursive=True), top]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@contextlib.contextmanager
def bare(*command: str) -> Iterator[Target]:
    """A tree without a jail, in a group where one can be made; dead when this ends."""
    mark = f"OFFSWITCH_TEST={secrets.token_hex(8)}"
    with group(V2) if V2 is not None else contextlib.nullcontext() as folder:
        join = f"printf 0 > {folder}/cgroup.procs; " if folder is not None else ""
        process = subprocess.Popen(
            ["/bin/sh", "-c", join + 'exec "$@"', "sh", *command],
            env=dict([mark.split("=")]),
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        groups = (str(folder),) if folder is not None else ()
        outer = os.pidfd_open(process.pid)
        target = Target(outer_pidfd=outer, cgroups=groups, marks=(mark,))
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield target
        finally:
            kill_tree(target, 10.0)
            process.communicate()
            os.close(outer)


def marked(target: Target) -> int:
    return sum(has_mark(one.pid, target.marks) for one in living())


@contextlib.contextmanager
def compiled() -> Iterator[str | None]:
    """The hostile C program; None where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        yield None
        return
    # Not below /tmp, which the jail hides.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)  # the jail's user has to read it
        subprocess.run([compiler, "-O1", "-w", C_SOURCE, "-o", f"{folder}/hostile"], check=True)
        yield f"{folder}/hostile"


def killed(command: Sequence[str], least: int, kill: Killer, *, jail: bool) -> Trial:
    """How many were alive, seconds to the proof (None without), and survivors."""
    with (jailed if jail else bare)(*command) as target:
        end = time.monotonic() + 5
        while marked(target) < least and time.monotonic() < end:
            time.sleep(0.02)
        victims = marked(target)
        begun = time.monotonic()
        proof = kill(target)
        took = None if proof is None else time.monotonic() - begun
        if took is None:
            time.sleep(SETTLED_S)
        return victims, took, marked(target)


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def spread(took: Sequence[float]) -> dict[str, float | None]:
    """Milliseconds at the median, the 99th percentile and the most; None without any."""
    names = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    return {name: 1e3 * quantile(took, q) if took else None for name, q in names.items()}


def kill_row(
    tree: str, name: str, kill: Killer, trials: int, program: str | None, *, judged: bool
) -> dict[str, Any]:
    kind, count, least = TREES[tree]
    command = hostile(kind, count) if program is None else [program, kind, str(count)]
    jail = name.endswith("namespace")
    found = [killed(command, least, kill, jail=jail) for _ in range(trials)]
    took = [seconds for _, seconds, _ in found if seconds is not None]
    left = [survivors for _, _, survivors in found]
    row: dict[str, Any] = {
        "tree": tree, "of": "Python" if program is None else "C", "by": name,
        "trials": trials, **spread(took),
        "victims_least": min(victims for victims, _, _ in found),
        "victims_p50": int(quantile([victims for victims, _, _ in found], 0.5)),
        "proven": len(took), "clean": sum(survivors == 0 for survivors in left),
        "left_p50": int(quantile(left, 0.5)), "left_max": max(left),
        "alive_first": sum(victims >= least for victims, _, _ in found), "met": None,
    }  # fmt: skip
    if name.startswith("guard"):
        middle, late = TARGETS_MS[tree]
        quick = bool(took) and row["p50_ms"] <= middle and row["p99_ms"] <= late
        safe = len(took) == row["clean"] == trials
        row["met"] = (safe and quick) if judged or not safe else None
    return row


def freeze_row(name: str, trials: int) -> dict[str, Any]:
    """20 processes frozen and thawed, again and again."""
    took, missed = [], 0
    with (jailed if name == "signals" else bare)(*hostile("daemons", 19)) as target:
        for _ in range(trials):
            begun = time.monotonic()
            missed += not freeze(target).frozen
            took.append(time.monotonic() - begun)
            thaw(target)
            time.sleep(0.002)
    row = {"by": name, "trials": trials, **spread(took), "not_frozen": missed}
    return {**row, "met": missed == 0 and (row["p50_ms"] or 0) <= FREEZE_MS}


def path_row(name: str, who: str, number: int, target_s: float, trials: int) -> dict[str, Any]:
    took = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(trials):
            agent = fronts.jail(*fronts.hostile("daemons", 50))
            with fronts.front(Path(folder), *agent, least=52, timeout_s=0.25) as one:
                took.append(one.seconds_to_death(one.signal(who, number), 8.0))
    row = {"path": name, "trials": trials, **spread(took), "target_ms": 1e3 * target_s}
    return {**row, "met": (row["max_ms"] or 0.0) <= 1e3 * target_s}


def times(row: dict[str, Any]) -> str:
    return " ".join(
        f"{row[name]:9.1f}" if row[name] is not None else f"{'-':>9}"
        for name in ("p50_ms", "p99_ms", "max_ms")
    )


def verdict(row: dict[str, Any]) -> str:
    return {None: "", True: "met", False: "MISSED"}[row["met"]]


def kill_rows(trials: int, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    killers: dict[str, Killer] = {"guard, namespace": by_guard}
    if V2 is not None:
        killers["guard, group"] = by_guard
    else:
        say("guard, group: not enforceable here, no group of version 2 can be made")
    killers["process group"] = by_process_group
    try:
        import psutil  # noqa: F401
    except ImportError:
        say("psutil tree: not measured, psutil is not installed")
    else:
        killers["psutil tree"] = by_psutil
    with compiled() as program:
        if program is None:
            say("C programs: not measured, there is no C compiler")
        kinds = [(program, True), (None, False)] if program else [(None, True)]
        for (of, judged), tree, (name, kill) in itertools.product(kinds, TREES, killers.items()):
            row = kill_row(tree, name, kill, trials, of, judged=judged)
            middle, late = TARGETS_MS[tree]
            wanted = f"{middle:.0f} / {late:.0f}" if row["met"] is not None else "-"
            say(
                f"{row['of']:8}{tree:16}{name:18}{row['victims_p50']:8}{times(row)}"
                f"{row['clean']:7}/{trials:<4}{row['left_p50']:8}{row['left_max']:6}{wanted:>12}"
                f"  {verdict(row)}"
            )
            yield row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trials", type=int, nargs="?", default=100)
    parser.add_argument("paths", type=int, nargs="?", default=100)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    load = os.getloadavg()[0]

    def say(line: str) -> None:
        if not told.json:
            print(line, flush=True)

    say(f"load average {load:.1f} on {os.cpu_count()} cores, uid {os.getuid()}")
    say(
        f"{'of':8}{'tree':16}{'ended by':18}{'victims':>8}{'p50 ms':>9}{'p99':>10}{'max':>10}"
        f"{'clean':>11}{'left p50':>10}{'max':>6}{'target':>12}"
    )
    rows = list(kill_rows(told.trials, say))
    say(f"\n{'freeze of 20, by':22}{'trials':>8}{'p50 ms':>9}{'p99':>10}{'max':>10}{'target':>12}")
    freezes = [
        freeze_row(name, told.trials)
        for name in ("group", "signals")
        if name != "group" or V2 is not None
    ]
    for row in freezes:
        say(f"{row['by']:22}{row['trials']:8}{times(row)}{FREEZE_MS:12.0f}  {verdict(row)}")
    say(f"\n{'dead-man path':22}{'trials':>8}{'p50 ms':>9}{'p99':>10}{'max':>10}{'target':>12}")
    paths = []
    for path in PATHS:
        row = path_row(*path, told.paths)
        paths.append(row)
        say(
            f"{row['path']:22}{row['trials']:8}{times(row)}{row['target_ms']:12.0f}  {verdict(row)}"
        )
    met = all(row["met"] is not False for row in (*rows, *freezes, *paths))
    say(
        f"load average at the end {os.getloadavg()[0]:.1f}; "
        + ("every target met" if met else "NOT every target met")
    )
    if told.json:
        print(
            json.dumps(
                {"kill": rows, "freeze": freezes, "paths": paths, "load": load, "met": met},
                indent=1,
            )
        )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
