"""Every probe of every family, in a child that is gone before the agent.

One child for all: a fork costs as much as twenty probes. Outcomes are told a family at a time: each
telling wakes the supervisor. If the child dies, those of its family and of what it had not yet
tried are missing, and a missing outcome counts as an open way.
"""

from __future__ import annotations

import posix as os

from .kernel import end_after
from .outcome import Outcome, report_line
from .probes import FAMILIES

__all__ = ["run"]

_PATIENCE = 20
"""Seconds for all probes, which take some hundredths of one; then the kernel ends the child."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .probes.bait import Bait


def run(bait: Bait, report: int) -> None:
    """Writes an outcome line per probe to `report`, and a `died` line if not all were tried.

    Raises:
        OSError: the child could not be made.
    """
    child = os.fork()
    if child == 0:
        _try_all(bait, report)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0:
        os.write(report, report_line({"died": status}))


def _try_all(bait: Bait, report: int) -> None:
    code = 1
    try:
        end_after(_PATIENCE)
        for family in FAMILIES:
            os.write(report, b"".join([_line(probe(bait)) for probe in family.PROBES]))
        code = 0
    finally:
        os._exit(code)


def _line(outcome: Outcome) -> bytes:
    return report_line({"probe": outcome.name, "word": outcome.word, "detail": outcome.detail})
