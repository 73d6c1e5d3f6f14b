"""How long `offswitch predict` on a tiny process takes from a cold start, kernels cached."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

TARGETS = {"offswitch --help": 0.3, "offswitch predict fork.json": 3.0}
"""Seconds of wall time."""
FORK = {
    "format": "offswitch-mdp",
    "version": 1,
    "state_names": ["hub", "left", "right"],
    "action_names": ["left", "right"],
    "start": [1, 0, 0],
    "rows": [[0, 0, 1, 1.0], [0, 1, 2, 1.0], [1, 0, 1, 1.0], [2, 0, 2, 1.0]],
}


def timed(arguments: list[str], folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of one fresh process."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    main = "from offswitch.cli import main; main()"
    subprocess.run(
        [sys.executable, "-c", main, *arguments], cwd=folder, check=True, capture_output=True
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    table = Table("command", "wall, best", "wall, median", "processor, best", "target, wall")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fork.json").write_text(json.dumps(FORK))
        for command, target in TARGETS.items():
            arguments = command.split()[1:]
            timed(arguments, folder)  # compiles the kernels, where they are not cached yet
            runs = sorted(timed(arguments, folder) for _ in range(options.runs))
            walls, processor = [wall for wall, _ in runs], min(cpu for _, cpu in runs)
            table.add_row(
                command, f"{walls[0]:.2f} s", f"{walls[len(walls) // 2]:.2f} s",
                f"{processor:.2f} s", f"under {target} s",
            )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
