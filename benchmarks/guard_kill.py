"""Seconds from the decision to a dead tree: the guard against what is usually done, in one run.

Two hostile trees, proven alive first: 200 daemons (double fork, own session, every signal
ignored) and a live fork bomb of about 300. They are ended by

  guard, namespace  `kill_tree` on a jailed tree: SIGKILL of its init, the proof, the stray scan
  guard, group      `kill_tree` on a tree in a cgroup of version 2 (where one can be made)
  process group     `os.killpg(..., SIGKILL)`, as `subprocess` users and test runners do
  psutil tree       `children(recursive=True)`, then kill each: the recipe of psutil's manual

The last two hold a tree as their users do, without a jail. Whoever is alive 0.3 s later is a
survivor, found by the environment it was started with; survivors are then killed, and a tree ends
by itself 9 s after its start. The figures hold for trees of Python processes.

Then the dead-man paths of a whole supervised run with 50 daemons: from the signal to the
supervisor or the watchdog until the namespace is empty, at the default timeout of 250 ms.

`python benchmarks/guard_kill.py [TRIALS [PEER_TRIALS [PATH_TRIALS]]]`; psutil for its row.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests" / "guard"
sys.path[:0] = [str(TESTS / "stop"), str(TESTS / "supervisor")]

import fronts  # noqa: E402
from trees import UNIFIED, group, hostile, jailed, writable_root  # noqa: E402

from offswitch.guard.stop.kill import kill_tree  # noqa: E402
from offswitch.guard.stop.launch import Target  # noqa: E402
from offswitch.guard.stop.pidfd import pid_of  # noqa: E402
from offswitch.guard.stop.processes import has_mark, living  # noqa: E402

SETTLED_S = 0.3
V2 = writable_root("cgroup.kill", UNIFIED)
TREES = {"200 daemons": ("daemons", 200, 200), "fork bomb ~300": ("bomb", 300, 200)}
PATHS = [
    ("supervisor killed", "supervisor", signal.SIGKILL, 0.100),
    ("supervisor stopped", "supervisor", signal.SIGSTOP, 0.500),
    ("watchdog killed", "watchdog", signal.SIGKILL, 0.500),
    ("watchdog stopped", "watchdog", signal.SIGSTOP, 0.500),
    ("spawner killed", "spawner", signal.SIGKILL, 0.500),
]
Killer = Callable[[Target], float | None]


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


def killed(tree: str, kill: Killer, *, jail: bool) -> tuple[int, float | None, int]:
    """How many were alive, seconds to the proof (None without), and survivors."""
    kind, count, least = TREES[tree]
    with (jailed if jail else bare)(*hostile(kind, count)) as target:
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


def row(tree: str, name: str, kill: Killer, trials: int) -> None:
    found = [killed(tree, kill, jail=name.endswith("namespace")) for _ in range(trials)]
    took = [seconds for _, seconds, _ in found if seconds is not None]
    left = [survivors for _, _, survivors in found]
    text = "      -         -         - "
    if took:
        text = " ".join(f"{1e3 * quantile(took, q):9.1f}" for q in (0.5, 0.99, 1.0))
    clean = sum(survivors == 0 for survivors in left)
    victims = int(quantile([n for n, _, _ in found], 0.5))
    print(
        f"{tree:16}{name:18}{victims:8}{text}   {clean:4}/{trials:<4}"
        f"{int(quantile(left, 0.5)):8}{max(left):6}",
        flush=True,
    )


def path_row(name: str, who: str, number: int, target_s: float, trials: int) -> None:
    took = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(trials):
            agent = fronts.jail(*fronts.hostile("daemons", 50))
            with fronts.front(Path(folder), *agent, least=52, timeout_s=0.25) as one:
                took.append(one.seconds_to_death(one.signal(who, number), 8.0))
    quantiles = " ".join(f"{1e3 * quantile(took, q):9.1f}" for q in (0.5, 0.99, 1.0))
    print(f"{name:22}{trials:8}{quantiles}{1e3 * target_s:10.0f}", flush=True)


def main() -> None:
    trials, peers, paths = (int(text) for text in [*sys.argv[1:], "100", "20", "20"][:3])
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, uid {os.getuid()}")
    print(f"{'tree':16}{'ended by':18}{'victims':>8}{'p50 ms':>10}{'p99':>10}{'max':>10}", end="")
    print(f"{'clean':>9}{'left p50':>13}{'max':>6}")
    for tree in TREES:
        row(tree, "guard, namespace", by_guard, trials)
        if V2 is not None:
            row(tree, "guard, group", by_guard, peers)
        row(tree, "process group", by_process_group, peers)
        try:
            import psutil  # noqa: F401
        except ImportError:
            print(f"{tree:16}psutil tree       not measured: psutil is not installed")
        else:
            row(tree, "psutil tree", by_psutil, peers)
    print(f"\n{'dead-man path':22}{'trials':>8}{'p50 ms':>10}{'p99':>10}{'max':>10}{'target':>10}")
    for path in PATHS:
        path_row(*path, paths)
    print(f"load average at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
