"""Fuzzing of everything the guard reads from others, led by coverage where atheris is installed.

  policy file     as an operator gives it
  ledger bytes    edited, cut, moved, or written anew by one who makes the chain fit again
  request body    of three wire formats, on their way to a provider
  response body   of the same, on their way to the agent
  event stream    of the same, in pieces
  MCP frame       in both directions
  egress head     of a forward proxy, and a tunnel's first message

What must hold is in tests/guard/fuzz/fuzz_targets.py: no error but the declared ones, and nothing
an agent may read as a call, by any reading, that no rule allows. Each target runs in a process of
its own for --seconds. atheris (`pip install atheris`; wheels for Linux on x86-64) turns bytes and
watches which branches they reach; beside it, or without it, random choices bend good inputs.

`python benchmarks/guard_fuzz.py [--seconds 60] [--only WORD] [--json]`. Exit code 1 where anything
was found; the input is then printed, and is a test case for tests/guard/fuzz/test_fuzz.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any  # plain JSON values

FUZZ = Path(__file__).parents[1] / "tests" / "guard" / "fuzz"
sys.path.insert(0, str(FUZZ))

ROOMS = ["offswitch.guard.proxy", "offswitch.guard.policy", "offswitch.guard.ledger"]


def led(name: str, seconds: int, corpus: str) -> None:
    """One target under atheris, in this process; it does not return."""
    import atheris

    with atheris.instrument_imports(include=ROOMS):
        from fuzz_targets import SEEDS, TARGETS
    for i, seed in enumerate(SEEDS[name]):
        Path(corpus, f"seed{i}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-max_len=2048", "-len_control=0", "-timeout=20",
               f"-artifact_prefix={corpus}/found-", "-print_final_stats=1"]  # fmt: skip
    atheris.Setup([sys.argv[0], corpus, *options], TARGETS[name])
    atheris.Fuzz()


def by_atheris(name: str, seconds: int) -> dict[str, Any]:
    """Inputs tried, branches reached and what was found."""
    with tempfile.TemporaryDirectory() as corpus:
        command = [sys.executable, __file__, "--led", name, corpus, "--seconds", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        runs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
        reached = re.findall(r"cov: (\d+)", done.stderr)
        found = [path.read_bytes() for path in sorted(Path(corpus).glob("found-*"))]
        why = [line for line in done.stdout.splitlines() + done.stderr.splitlines()
               if re.match(r"\w*(Error|Exception)\b|ALARM", line)]  # fmt: skip
        broke = done.returncode != 0 and not found
        return {
            "inputs": int(runs[1]) if runs else 0,
            "branches": int(reached[-1]) if reached else None,
            "found": [repr(one) for one in found] + ([done.stderr[-500:]] if broke else []),
            "why": [one[:300] for one in why],
        }


def by_choices(name: str, seconds: int, seed: int) -> dict[str, Any]:
    """Good inputs bent at random, for as many processor seconds."""
    from fuzz_targets import SEEDS, TARGETS

    draw, target, inputs = random.Random(seed), TARGETS[name], 0
    found: dict[str, str] = {}
    end = time.process_time() + seconds
    waiting = list(SEEDS[name])
    while waiting or time.process_time() < end:
        data = waiting.pop() if waiting else draw.randbytes(draw.randrange(1, 64))
        inputs += 1
        try:
            target(data)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it was found
            found.setdefault(f"{type(problem).__name__}: {problem}"[:300], repr(data))
    return {"inputs": inputs, "branches": None, "found": [*found.values()], "why": [*found]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each target and way")
    parser.add_argument("--only", default="", help="targets whose name holds this")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--led", nargs=2, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.led:
        led(told.led[0], told.seconds, told.led[1])
    from fuzz_targets import TARGETS

    led_by = importlib.util.find_spec("atheris") is not None
    rows: list[dict[str, Any]] = []
    for name in (name for name in TARGETS if told.only in name):
        ways = {"choices": by_choices(name, told.seconds, told.seed)}
        if led_by:
            ways["atheris"] = by_atheris(name, told.seconds)
        for way, found in ways.items():
            rows.append({"target": name, "way": way, **found})
            if not told.json:
                reached = "" if found["branches"] is None else f"{found['branches']:6} branches"
                print(f"{name:16}{way:9}{found['inputs']:10} inputs {len(found['found']):4} found "
                      f"{reached}", *found["why"], *found["found"], sep="\n    ",
                      flush=True)  # fmt: skip
    note = "" if led_by else (
        f"not led by coverage: atheris is not installed for Python {sys.version_info.major}."
        f"{sys.version_info.minor}"
    )  # fmt: skip
    broken = sum(len(row["found"]) for row in rows)
    verdict = "nothing found" if not broken else f"{broken} found"
    if told.json:
        told_too = {"atheris": led_by, "note": note, "seconds": told.seconds, "seed": told.seed}
        print(json.dumps({"rows": rows, "verdict": verdict, **told_too}, indent=1))
    else:
        print(*filter(None, [note, verdict]), sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
