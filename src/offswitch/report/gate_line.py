"""A gate's verdict as the report prints it."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["GateLine"]


class GateLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One gate, already judged; the report prints it and judges nothing."""

    measure: str
    """Name of the measurement that was gated."""
    limit_text: str
    """The limit in words, such as 'upper bound below 0.01'."""
    verdict: Literal["PASS", "FAIL", "INSUFFICIENT"]
    reason: str
    """Which bound was compared with what, or why the data do not suffice."""
