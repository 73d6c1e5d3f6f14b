"""What the probes found against what a tier promises, one difference at a time."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from offswitch.errors import GuardError
from offswitch.guard.jail.catalog import PROBES
from offswitch.guard.jail.selftest import ProbeOutcome, Report, judge, require_sound
from offswitch.guard.jail.tier import Tier


def tier(level: int) -> Tier:
    return Tier(level, "", (), (), ())


def found(word: str = "blocked", **other: str) -> Report:
    outcomes = tuple(ProbeOutcome(name, other.get(name, word), "") for name in PROBES)
    return Report(ready=True, outcomes=outcomes, died=None, failed=None)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_every_probe_of_a_tier_or_a_lower_one_must_find_its_way_closed(level: int) -> None:
    assert judge(found(), tier(level)) == ()
    assert judge(found("not applicable"), tier(level)) == ()
    for name, expected in PROBES.items():
        for word in ("allowed", "maybe", "", "BLOCKED"):
            told = judge(found(**{name: word}), tier(level))
            promised = expected.tier is not None and expected.tier <= level
            assert len(told) == promised, (name, word)
            assert judge(found(**{name: word}), tier(level), (name,)) == ()
            assert len(judge(found(**{name: word}), tier(level), ("other",))) == promised


def test_one_reason_is_enough_not_to_start() -> None:
    sound = found()
    require_sound(sound, tier(2))
    strange = ProbeOutcome("new-probe", "blocked", "")
    for report in (
        replace(sound, ready=False), replace(sound, died=1), replace(sound, died=-14),
        replace(sound, failed="apply Landlock: EPERM"), found(mount="allowed"),
        replace(sound, outcomes=sound.outcomes[1:]),
        replace(sound, outcomes=(*sound.outcomes, strange)),
        replace(sound, ready=False, failed="x", outcomes=()),
    ):  # fmt: skip
        with pytest.raises(GuardError, match="does not hold what tier 2 promises"):
            require_sound(report, tier(2))
    with pytest.raises(GuardError):
        require_sound(found(mount="allowed", memfd="allowed"), tier(2), ("memfd",))
    require_sound(found(memfd="allowed"), tier(2), ("memfd",))


def test_a_tier_that_promises_nothing_is_still_built() -> None:
    nothing = Report(ready=True, outcomes=(), died=None, failed=None)
    assert judge(nothing, tier(0)) == ()
    assert judge(replace(nothing, failed="close descriptors: EBADF"), tier(0))
    assert judge(replace(nothing, ready=False), tier(0))
