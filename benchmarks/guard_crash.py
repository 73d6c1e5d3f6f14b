"""A part of the guard killed at a random moment: the agent dead, the ledger whole, the end told?

Whole guarded runs with an agent that leaves four daemons which ignore every signal, and asks a
model again and again. SIGKILL to one part, in turn, at a random moment of the start or of the work:

  supervisor   which also writes the ledger      spawner   which started the jail
  watchdog                                       proxy     every way out
  sensors      the process that looks at the workspace

After each: every process of the jail dead (seconds from the kill), the agent proven alive before
where it had begun; no other part of the guard left; every answer that the agent had stands in the
ledger, which verifies against its heads; and the restart says what happened: the result, or the
time, the intact records and the tree verified empty.

Then the ledger's writer alone, killed while it writes thousands of records a second, and its ledger
cut inside a record: nothing acknowledged may be missing, a torn tail is cut off and told, and one
that is bound by a head outside is told to be missing.

`python benchmarks/guard_crash.py [--trials 200] [--seed 0]`: about three seconds a run. CAVEAT: one
part at a time, by signal; a power cut may lose what was not yet on disk (`ledger.sync`).
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "guard" / "crash"))

from crashes import LATEST_S, PARTS, Crash, clean, crash, echo, seconds_to_start
from writers import Written, cut_record, killed_writer

from offswitch.statistics.wilson import wilson

STARTING = 0.4
"""Share of the runs that are hit while they start."""
WORK_S = 0.5
"""Latest moment of the hit after the agent began to work."""


def of(numbers: list[float], share: float) -> float:
    return sorted(numbers)[min(len(numbers) - 1, int(share * len(numbers)))]


def hit_runs(room: Path, trials: int, rng: random.Random) -> list[Crash]:
    found: list[Crash] = []
    with echo() as upstream:
        start_s = seconds_to_start(room / "unharmed", upstream)
        print(f"an unharmed run works after {start_s:.2f} s", flush=True)
        for number in range(trials):
            running = rng.random() >= STARTING
            delay = rng.uniform(0.0, WORK_S if running else start_s)
            place = room / str(number)
            found.append(
                crash(place, upstream, PARTS[number % len(PARTS)], running=running, delay_s=delay)
            )
            for problem in found[-1].problems:
                print(f"PROBLEM {found[-1].part}: {problem}", flush=True)
            clean(place)
    return found


def report_runs(found: list[Crash]) -> None:
    groups: defaultdict[tuple[str, bool], list[Crash]] = defaultdict(list)
    for one in found:
        groups[one.part, one.running].append(one)
    print(f"{'killed':11} {'while':9} {'runs':>5} {'alive':>6} {'p50 ms':>7} {'p99 ms':>7} "
          f"{'max ms':>7} {'answers':>8} {'records':>8} {'wrong':>6}")  # fmt: skip
    for (part, running), several in sorted(groups.items()):
        # Only a tree that lived says how long it took to die.
        ms = [1000 * one.seconds for one in several if one.alive]
        figures = " ".join(f"{of(ms, q):7.0f}" for q in (0.5, 0.99, 1.0)) if ms else " " * 23
        print(f"{part:11} {'working' if running else 'starting':9} {len(several):5} "
              f"{sum(one.alive > 0 for one in several):6} {figures} "
              f"{sum(one.acked for one in several):8} "
              f"{sum(one.records or 0 for one in several):8} "
              f"{sum(bool(one.problems) for one in several):6}")  # fmt: skip


def hit_writers(room: Path, trials: int, rng: random.Random) -> tuple[list[Written], list[Written]]:
    killed, cut = [], []
    for number in range(trials):
        folder = room / f"writer{number}"
        killed.append(killed_writer(folder, rng.uniform(0.0, 0.15)))
        if not killed[-1].problems:
            cut.append(cut_record(folder, rng))
        clean(folder)
    return killed, cut


def report_writers(killed: list[Written], cut: list[Written]) -> None:
    print(f"writer killed: {len(killed)} times, {sum(one.acked for one in killed)} records "
          f"acknowledged, {sum(one.records for one in killed)} there and verified, "
          f"{sum(bool(one.torn) for one in killed)} last records torn at a page's border, "
          f"{sum(bool(one.problems) for one in killed)} wrong")  # fmt: skip
    print(f"ledger cut in a record: {len(cut)} times, {sum(one.torn for one in cut)} torn bytes, "
          f"{sum(bool(one.problems) for one in cut)} wrong")  # fmt: skip
    for problem, count in Counter(p for one in (*killed, *cut) for p in one.problems).items():
        print(f"PROBLEM writer: {problem} ({count} times)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=200, help="runs that are hit, at least 5")
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    rng, begun = random.Random(told.seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="offswitch-crash-") as name:
        Path(name).chmod(0o755)
        found = hit_runs(Path(name), told.trials, rng)
        killed, cut = hit_writers(Path(name), told.trials // 4, rng)
    report_runs(found)
    report_writers(killed, cut)
    wrong = sum(bool(one.problems) for one in (*found, *killed, *cut))
    low, high = wilson(wrong, len(found) + len(killed) + len(cut))
    print(f"anything wrong: {wrong} of {len(found) + len(killed) + len(cut)} "
          f"(95 % interval {low:.3f} to {high:.3f}); a tree alive {LATEST_S:g} s after the kill "
          f"is wrong; seed {told.seed}; {time.monotonic() - begun:.0f} s")  # fmt: skip
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
