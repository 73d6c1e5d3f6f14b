"""Whether what the probes found is what the tier promises."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from offswitch.errors import GuardError, problems_text
from offswitch.guard.jail.catalog import PROBES
from offswitch.guard.jail.tier import Tier

__all__ = ["ProbeOutcome", "Report", "judge", "require_sound"]


class ProbeOutcome(msgspec.Struct, frozen=True):
    """What one probe found."""

    name: str
    """'trace-supervisor'."""
    word: str
    """'allowed', 'blocked' or 'not applicable'."""
    detail: str
    """What the kernel answered: 'EPERM'."""


class Report(msgspec.Struct, frozen=True):
    """What the entry program said before the agent exists."""

    ready: bool
    """Whether it waits for leave to become the agent."""
    outcomes: tuple[ProbeOutcome, ...]
    """What each probe found."""
    died: int | None
    """Exit code, or minus the signal, of the probes' process if it ended before it tried all."""
    failed: str | None
    """The step that failed, and why; None if none did."""


def judge(report: Report, tier: Tier, waived: Collection[str] = ()) -> tuple[str, ...]:
    """Every reason not to start the agent; empty if the jail is what its tier promises.

    A probe that was not heard of counts as one that got through. At tier 0 nothing is promised and
    nothing tried.
    """
    problems = [] if report.failed is None else [f"the jail was not built: {report.failed}"]
    if not report.ready and report.failed is None:
        problems.append("the entry program ended before it was ready (its error is on stderr)")
    if report.died is not None:
        problems.append(f"the probes ended early, with exit code {report.died}")
    if tier.level == 0 or not report.ready:
        return tuple(problems)
    found = {outcome.name: outcome for outcome in report.outcomes}
    problems += [f"unknown probe {name!r} reported" for name in found if name not in PROBES]
    for name, expected in PROBES.items():
        if expected.tier is None or expected.tier > tier.level or name in waived:
            continue
        outcome = found.get(name)
        if outcome is None:
            problems.append(f"{name}: no outcome, so it may be open")
        elif outcome.word not in ("blocked", "not applicable"):
            problems.append(
                f"{name}: {outcome.word} ({outcome.detail}); the agent could {expected.meaning}. "
                f"To accept that, add {name} to jail.waive"
            )
    return tuple(problems)


def require_sound(report: Report, tier: Tier, waived: Collection[str] = ()) -> None:
    """Nothing, when the jail is what its tier promises.

    Raises:
        GuardError: every problem at once; the agent must not start.
    """
    if problems := judge(report, tier, waived):
        raise GuardError(
            problems_text(f"the jail does not hold what tier {tier.level} promises", problems)
        )
