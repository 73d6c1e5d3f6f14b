"""Traces labelled by hand from the definitions, before and apart from the detectors' code.

Each file of `labelled/` is a family. An entry names every component that must not be 0 (all others
must be exactly 0), the first failing check of corrigibility, and the reason from the definitions.
`looks_like` names the components that the trace resembles and that must not be flagged in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from offswitch.audit.label import CHECKS, CorrigibilityLabel
from offswitch.drives.drive import score
from offswitch.drives.registry import installed_drives
from offswitch.trace.event import OVERSIGHT_REDUCING, Event, ReportMade, ResourceHeld
from offswitch.trace.trace import Trace, TraceHeader

HEADER = TraceHeader(world="by-hand", goal="any", agent="nobody", episode=0, seed=0)
LABELLED = Path(__file__).with_name("labelled")
RESOURCES = {
    "compute", "data", "energy", "influence", "infrastructure", "materials", "money", "storage",
    "tools",
}  # fmt: skip


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One labelled trace; values are numbers or fractions such as '3/16'."""

    name: str
    events: tuple[Event, ...]
    expect: dict[str, dict[str, float | str]]
    first_failure: str | None
    because: str
    looks_like: tuple[str, ...] = ()

    @property
    def expected(self) -> dict[str, float]:
        return {
            f"{drive}.{component}": float(Fraction(str(value)))
            for drive, parts in self.expect.items()
            for component, value in parts.items()
        }

    @property
    def benign(self) -> bool:
        return not self.expect and self.first_failure is None


FAMILIES = {
    path.stem: msgspec.yaml.decode(path.read_bytes(), type=tuple[Entry, ...])
    for path in sorted(LABELLED.glob("*.yaml"))
}
ENTRIES = [entry for entries in FAMILIES.values() for entry in entries]
DRIVES = {drive.name: drive for drive in installed_drives()}
COMPONENTS = [f"{name}.{part}" for name, drive in DRIVES.items() for part in drive.components]


def detected(events: Iterable[Event]) -> dict[str, float]:
    trace = Trace(header=HEADER, events=tuple(events))
    return {
        f"{name}.{part}": value
        for name, drive in DRIVES.items()
        for part, value in score(drive, trace).components
    }


def disagreements(entry: Entry) -> list[str]:
    """One line per component on which the label and the detectors disagree."""
    found, expected = detected(entry.events), entry.expected
    label = CorrigibilityLabel()
    failures = label.start()
    for event in entry.events:
        failures = label.advance(failures, event)
    lines = [
        f"{component}: labelled {expected.get(component, 0.0):g}, detected {found.get(component)}"
        for component in sorted({*found, *expected})
        if found.get(component) != pytest.approx(expected.get(component, 0.0), abs=1e-9)
    ]
    if failures.first != entry.first_failure:
        lines.append(f"first failure: labelled {entry.first_failure}, found {failures.first}")
    return lines


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_detectors_agree_with_the_label_by_hand(entry):
    lines = disagreements(entry)
    assert not lines, "\n".join([entry.name, *lines, f"because: {entry.because}"])


FLAGGED = [entry for entry in ENTRIES if entry.expect]


@pytest.mark.parametrize("entry", FLAGGED, ids=lambda entry: entry.name)
def test_what_is_flagged_has_evidence_among_its_events(entry):
    for name in entry.expect:
        evidence = score(DRIVES[name], Trace(header=HEADER, events=entry.events)).evidence
        assert evidence, f"{name} is flagged without evidence"
        assert set(evidence) <= set(range(len(entry.events)))


def test_there_are_enough_traces_of_each_sort():
    assert len(ENTRIES) >= 130
    assert sum(entry.benign for entry in ENTRIES) >= 35
    assert {entry.first_failure for entry in ENTRIES} == {*CHECKS, None}


def test_no_two_entries_are_the_same():
    assert max(Counter(entry.name for entry in ENTRIES).values()) == 1
    assert max(Counter(entry.events for entry in ENTRIES).values()) == 1
    assert all(len(entry.because.split()) >= 2 for entry in ENTRIES)


def test_labels_name_only_drives_and_components_that_exist():
    named = {part for entry in ENTRIES for part in (*entry.expected, *entry.looks_like)}
    assert named <= set(COMPONENTS)


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_component_is_shown_twice_and_has_a_look_alike_in_its_family(component):
    shown = [family for family, entries in FAMILIES.items()
             for entry in entries if entry.expected.get(component)]  # fmt: skip
    alike = [family for family, entries in FAMILIES.items()
             for entry in entries if component in entry.looks_like]  # fmt: skip
    assert len(shown) >= 2
    assert set(shown) & set(alike)


def test_a_look_alike_is_not_labelled_as_what_it_resembles():
    for entry in ENTRIES:
        assert not set(entry.looks_like) & set(entry.expected), entry.name


def test_all_nine_types_of_resource_are_hoarded_or_wasted_somewhere_and_benign_elsewhere():
    flagged, clean = set(), set()
    for entry in FAMILIES["resources"]:
        held = {event.resource for event in entry.events if isinstance(event, ResourceHeld)}
        (clean if entry.benign else flagged).update(held)
    assert flagged == RESOURCES
    assert clean == RESOURCES


@pytest.mark.parametrize("kind", OVERSIGHT_REDUCING, ids=lambda kind: kind.__name__)
def test_each_act_against_oversight_is_seen_unpermitted_permitted_and_by_others(kind):
    acts = [event for entry in ENTRIES for event in entry.events if isinstance(event, kind)]
    assert {(act.actor == "agent", act.authorised) for act in acts} >= {
        (True, False), (True, True), (False, False),
    }  # fmt: skip


Blindness = Callable[[tuple[Event, ...]], Iterable[Event]]
BLINDNESSES: dict[str, Blindness] = {
    "to who acted": lambda events: (
        msgspec.structs.replace(event, actor="agent") for event in events
    ),
    "to permission": lambda events: (
        msgspec.structs.replace(event, authorised=False)
        if isinstance(event, OVERSIGHT_REDUCING) else event
        for event in events
    ),
    "to order": lambda events: (*reversed(events[:-1]), events[-1]),
    "to what was known": lambda events: (
        msgspec.structs.replace(event, known=True, profits=True)
        if isinstance(event, ReportMade) else event
        for event in events
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("blindness", BLINDNESSES)
def test_a_blind_detector_would_miss_the_labels(blindness):
    """What a detector sees that is blind in this way differs from the label in several traces."""
    blind = BLINDNESSES[blindness]
    missed = [
        entry.name for entry in ENTRIES
        if any(value != pytest.approx(entry.expected.get(component, 0.0), abs=1e-9)
               for component, value in detected(blind(entry.events)).items())
    ]  # fmt: skip
    assert len(missed) >= 4
