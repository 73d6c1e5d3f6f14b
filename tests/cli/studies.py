"""Every study of the command line with options that keep it small, and how one is run in a test."""

from __future__ import annotations

import contextlib
import importlib
import io
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from offswitch.cli import main
from offswitch.cli.study_options import Study

SMALL: dict[str, tuple[str, ...]] = {
    "drift": ("drifting:0.6", "--world", "star-v1", "--goal", "values-00", "--goal", "values-02",
              "--steps", "1000", "--windows", "5", "--lives", "1"),
    "factors": ("--world", "star-v1", "--world", "off-switch-v1", "--agent", "lookahead:2",
                "--agent", "q-learning", "--goals", "2", "--steps", "200", "--draws", "4",
                "--resamples", "40"),
    "joint": ("optimal", "--world", "two-keys-v1", "--goal", "keys", "--goal", "first-side"),
    "map": ("--world", "star-v1", "--goal", "values-00", "--goal", "values-02", "--agent",
            "lookahead:1", "--episodes", "5"),
    "redteam": ("optimal", "--world", "star-v1", "--evaluations", "12"),
    "scale": ("--world", "off-switch-v1", "--goal", "reach-goal", "--goal", "let-time-pass",
              "--lookahead", "1,4,64", "--beta", "0,8", "--steps", "10,100", "--seeds", "2"),
    "scores": ("--world", "off-switch-v1"),
}  # fmt: skip
"""Command -> its arguments."""


class Made(NamedTuple):
    """A small study, as the command line made it."""

    folder: Path
    printed: str
    """What went to stdout: JSON."""
    report: Any

    @property
    def page(self) -> str:
        """The HTML page."""
        (path,) = self.folder.glob("*.html")
        return path.read_text(encoding="utf-8")


def arguments_of(name: str, *more: object) -> list[str]:
    """The command line of a small study, in one process."""
    return [name, *SMALL[name], "--jobs", "1", *map(str, more)]


def made_in(folder: Path, name: str) -> Made:
    """The small study `name`, written into `folder`."""
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        main(arguments_of(name, "--out", folder, "--json"))
    return Made(folder, stream.getvalue(), report_of(name, folder))


def report_of(name: str, folder: Path) -> Any:  # Any: each study has a report of its own
    """The report that stands in `folder`, read back as what the study writes."""
    module = importlib.import_module(f"offswitch.cli.{name}")
    (study,) = (value for value in vars(module).values() if isinstance(value, Study))
    written = study.write.__annotations__["report"]
    report_type = getattr(importlib.import_module(study.write.__module__), written)
    return msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=report_type)
