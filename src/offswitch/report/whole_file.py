"""Files that are whole or absent, never half."""

from __future__ import annotations

from pathlib import Path

from offswitch.errors import AuditError

__all__ = ["write_whole"]


def write_whole(target: Path, data: bytes) -> None:
    """Writes `data` beside `target` first and then moves it there.

    Raises:
        AuditError: the place cannot be written.
    """
    part = target.with_name(target.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        raise AuditError(
            f"{target}: cannot be written ({error.strerror}). Name a folder that exists and that "
            "you may write to."
        ) from error
