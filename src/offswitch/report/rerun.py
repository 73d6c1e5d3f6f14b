"""The commands that reproduce an audit or a study."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import msgspec

from offswitch.audit.result import RunSettings
from offswitch.report.wording import plain

__all__ = ["not_staged_lines", "rerun_command", "set_words", "threat_words"]


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


def threat_words(threat: str | None) -> list[str]:
    """The --threat option that gives `threat`; none where each world's first was taken."""
    return [] if threat is None else ["--threat", plain(threat)]


def set_words(parameters: Mapping[str, object]) -> list[str]:
    """The --set options that give `parameters`."""
    return [
        word
        for name, value in parameters.items()
        for word in ("--set", f"{plain(name)}={plain(msgspec.json.encode(value).decode())}")
    ]


def not_staged_lines(threat: str | None, worlds: Sequence[str]) -> list[str]:
    """What a reader must know of the worlds that were left out; nothing where none was."""
    if not worlds:
        return []
    return [f"Left out, for they do not stage {threat}: {', '.join(map(plain, worlds))}."]
