"""The FIELD=VALUE options of the command line."""

from __future__ import annotations

import click
import msgspec

__all__ = ["assignments_of"]


def assignments_of(texts: tuple[str, ...]) -> dict[str, object]:
    """The FIELD=VALUE options as keywords; values that are JSON (a number, true) are read so."""
    return dict(_assignment(text) for text in texts)


def _assignment(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--set got {text!r}, expected FIELD=VALUE.")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value
