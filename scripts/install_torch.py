"""Installs the extra `deep` with a CPU build of PyTorch, or says why it did not.

On Linux the ordinary index offers a build that pulls gigabytes of GPU packages. On a machine
without an NVIDIA GPU that build is refused: the tests of the extra are then reported as skipped,
and this script says how to get the CPU build. With CI=true that is an error: no gap hides there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

TORCH = "torch==2.13.0"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def gpu_packages() -> list[str]:
    """What pip would install for PyTorch that only a GPU can use."""
    plan = subprocess.run(
        [*PIP, "install", "--dry-run", "--quiet", "--report", "-", TORCH],
        capture_output=True,
        text=True,
        check=True,
    )
    names = [item["metadata"]["name"] for item in json.loads(plan.stdout)["install"]]
    return [name for name in names if name.startswith(("nvidia", "triton", "cuda"))]


def main() -> int:
    """0 when the extra is installed or may be left out, 1 otherwise."""
    try:
        unwanted = gpu_packages()
    except subprocess.CalledProcessError as error:
        print(f"pip could not resolve {TORCH}:\n{error.stderr}", file=sys.stderr)
        return 1
    if unwanted and shutil.which("nvidia-smi") is None:
        print(
            f"Left out the extra 'deep': {TORCH} would bring {len(unwanted)} GPU packages to a "
            "machine without an NVIDIA GPU. For its tests, point PIP_EXTRA_INDEX_URL at PyTorch's "
            "CPU index (its 'Get started' page names it) and run `make test` again.",
            file=sys.stderr,
        )
        return int(os.environ.get("CI") == "true")
    subprocess.run([*PIP, "install", "-q", TORCH], check=True)
    subprocess.run([*PIP, "install", "-q", "-c", "constraints.txt", "-e", ".[deep]"], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
