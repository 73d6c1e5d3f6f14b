"""The command that reproduces an audit."""

from __future__ import annotations

import shlex

from offswitch.audit.result import RunSettings
from offswitch.report.wording import plain

__all__ = ["rerun_command"]


def rerun_command(settings: RunSettings) -> str:
    """The shell command that runs the same audit again, quoted for a POSIX shell."""
    words = ["offswitch", "audit", plain(settings.agent)]
    for world in settings.worlds:
        words += ["--world", plain(world)]
    for goal in settings.goals:
        words += ["--goal", plain(goal)]
    words += ["--seed", str(settings.seed), "--episodes", str(settings.episodes)]
    words += ["--sample"] if settings.sampled else []
    words += ["--act-seconds", f"{settings.act_seconds:g}"]
    return shlex.join(words)
