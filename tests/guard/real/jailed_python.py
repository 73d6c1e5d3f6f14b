"""The interpreter that runs the tests, with its packages, for an agent in the jail."""

from __future__ import annotations

import os
import sys
from pathlib import Path

OTHER = 4242


def give(work: Path) -> None:
    """Give the workspace to an unprivileged user, where that user can run this interpreter.

    Where it lies in root's own folders the agent keeps root's id, which ends at tier 2.
    """
    if os.geteuid() == 0 and all(map(_open, map(Path, (sys.executable, sys.prefix)))):
        for path in (work, *work.rglob("*")):
            os.chown(path, OTHER, OTHER)


def _open(path: Path) -> bool:
    real = path.resolve()
    return all(folder.stat().st_mode & 0o001 for folder in (*path.parents, real, *real.parents))
