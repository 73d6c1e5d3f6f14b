"""Durations and sizes from text: 50ms, 1.5h, 128MiB."""

from __future__ import annotations

import re

__all__ = ["bytes_of", "seconds_of"]

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)", re.ASCII)


def seconds_of(text: str) -> float:
    """Seconds that a duration such as 250ms, 90s, 5min, 1.5h or 2d spells.

    >>> seconds_of("50ms"), seconds_of("1.5h")
    (0.05, 5400.0)

    Raises:
        ValueError: it spells none; the message says what is expected.
    """
    return _quantity(text, _SECONDS, "a duration such as 50ms, 10s, 5min or 2h")


def bytes_of(text: str) -> int:
    """Bytes that a size such as 64KiB, 128MiB or 2GB spells.

    >>> bytes_of("128MiB"), bytes_of("2kB")
    (134217728, 2000)

    Raises:
        ValueError: it spells none; the message says what is expected.
    """
    return round(_quantity(text, _BYTES, "a size such as 512KiB, 128MiB or 2GiB"))


def _quantity(text: str, units: dict[str, float] | dict[str, int], expected: str) -> float:
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2] not in units:
        raise ValueError(f"got {text!r}, expected {expected}")
    value = float(found[1]) * units[found[2]]
    if value > 2**62:
        raise ValueError(f"got {text!r}, expected less than {2**62:.2g} of the smallest unit")
    return value
