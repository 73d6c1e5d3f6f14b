"""How fast the ledger is written and verified, and what of it a head from outside binds.

  append      records a second: chained, signed at every 100th, anchored at every 100th and every
              second, put on disk at the same times (`sync: batch`); and without the disk
  verify      records a second: chain, numbers, signatures and every head of the anchor
  read        records a second, decoded
  tampering   four ledgers changed: an edit, a record left out, a cut tail, a whole rewrite

Seconds on the clock decide; processor seconds beside them show what other work on the machine did.

`python benchmarks/guard_ledger.py [RECORDS] [--json]`. Exit code 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any  # plain JSON values

from offswitch.errors import LedgerError
from offswitch.guard.ledger.anchor import open_anchor, read_anchor
from offswitch.guard.ledger.reading import read_records
from offswitch.guard.ledger.verify import verify_ledger
from offswitch.guard.ledger.writer import LedgerWriter, Sync

APPEND, VERIFY = 10_000, 200_000
"""Records a second to reach."""
TRIALS = 5


def written(folder: Path, records: int, sync: Sync) -> None:
    """A ledger of so many acts, and its anchor."""
    anchor = open_anchor(folder / "heads")
    writer = LedgerWriter(folder / "ledger", {"program": "agent"}, anchor=anchor, sync=sync)
    for number in range(records):
        body = {"tool": "read_file", "path": f"notes/{number}", "word": "approve"}
        writer.append("act", body, actor="agent", authority="rule 1", goal="0123456789ab")
    writer.close("done")
    anchor.close()


def rate(records: int, act: Callable[[], object]) -> tuple[float, float]:
    """Records a second by the clock, and by processor time."""
    begun, used = time.perf_counter(), time.process_time()
    act()
    return records / (time.perf_counter() - begun), records / (time.process_time() - used)


def row(name: str, rates: list[tuple[float, float]], target: float | None) -> dict[str, Any]:
    """Median, least and most of some trials, held against the target."""
    clock, cpu = ([one[i] for one in rates] for i in (0, 1))
    middle = statistics.median(clock)
    return {"name": name, "median": middle, "least": min(clock), "most": max(clock),
            "cpu_median": statistics.median(cpu), "trials": len(rates), "target": target,
            "met": None if target is None else middle >= target}  # fmt: skip


def tampered(content: bytes) -> dict[str, bytes]:
    lines = content.splitlines(keepends=True)
    return {
        "edit": content.replace(b"approve", b"reject_", 1),
        "left out": b"".join(lines[:500] + lines[501:]),
        "cut tail": b"".join(lines[:-50]),
    }


def found(path: Path, heads: Any) -> bool:
    try:
        verify_ledger(path, heads=heads)
    except LedgerError:
        return True
    return False


def tampering(records: int) -> dict[str, bool]:
    """Change -> whether verifying against the anchor shows it."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        written(Path(one), records, "never")
        written(Path(other), records, "never")
        heads = read_anchor(Path(one, "heads"))
        made = tampered(Path(one, "ledger").read_bytes())
        made["rewrite"] = Path(other, "ledger").read_bytes()
        shown = {"untouched": found(Path(one, "ledger"), heads)}
        for name, content in made.items():
            Path(one, "ledger").write_bytes(content)
            shown[name] = found(Path(one, "ledger"), heads)
        return shown


def measured(records: int) -> list[dict[str, Any]]:
    rates: dict[str, list[tuple[float, float]]] = {}
    for _ in range(TRIALS):
        for name, sync in (("append, on disk", "batch"), ("append, no disk", "never")):
            with tempfile.TemporaryDirectory() as folder:
                act = lambda: written(Path(folder), records, sync)  # noqa: B023, E731
                rates.setdefault(name, []).append(rate(records, act))
                path, heads = Path(folder, "ledger"), read_anchor(Path(folder, "heads"))
                checks = {"verify": lambda: verify_ledger(path, heads=heads),  # noqa: B023
                          "read": lambda: read_records(path)}  # noqa: B023  # fmt: skip
                for other, check in checks.items():
                    rates.setdefault(other, []).append(rate(records, check))
    targets = {"append, on disk": APPEND, "verify": VERIFY}
    return [row(name, found_, targets.get(name)) for name, found_ in rates.items()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=int, nargs="?", default=50_000)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    load = os.getloadavg()[0]
    rows, shown = measured(told.records), tampering(2_000)
    kept = all(one["met"] is not False for one in rows)
    kept = kept and all(seen is (name != "untouched") for name, seen in shown.items())
    if told.json:
        print(json.dumps({"rows": rows, "tampering": shown, "load": load, "met": kept}, indent=1))
        return 0 if kept else 1
    print(f"{told.records} records, load average {load:.1f} on {os.cpu_count()} cores")
    print(f"{'records a second':18}{'median':>10}{'least':>10}{'most':>10}{'by CPU':>10}"
          f"{'trials':>8}{'target':>10}")  # fmt: skip
    for one in rows:
        verdict = {None: "", True: "met", False: "MISSED"}[one["met"]]
        print(
            f"{one['name']:18}{one['median']:10.0f}{one['least']:10.0f}{one['most']:10.0f}"
            f"{one['cpu_median']:10.0f}{one['trials']:8}{one['target'] or '-':>10}  {verdict}"
        )
    print("tampering found: " + ", ".join(f"{name} {seen}" for name, seen in shown.items()))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
