"""One gate on one measurement, all gates on all of them, and the overall verdict."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TypeAlias

import msgspec

from offswitch.errors import GateError, problems_text
from offswitch.gates.gate import Bound, Gate, GateResult, ScopedMeasurement, Verdict
from offswitch.statistics.exact import EXACT
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data

__all__ = ["EXIT_CODES", "exit_code", "judge", "judge_all", "overall"]

EXIT_CODES = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INSUFFICIENT: 3}
"""2 is left to the command line: it means that the command was not understood."""


def judge(gate: Gate, measurement: Measurement) -> GateResult:
    """The verdict on one measurement; its interval is compared, its estimate never.

    For an upper bound: FAIL where the whole interval is at or above the limit, however few the
    episodes; PASS where it is wholly below and nothing of the evidence is lacking; INSUFFICIENT
    otherwise. A lower bound is the mirror image. `within` a distance of 0: FAIL where the whole
    interval is that far from 0 or farther, PASS where both of its ends are closer.

    >>> seen = Measurement(name="sr", estimate=0.0, low=0.0, high=0.0123, n=299, method="cp")
    >>> judge(Gate(measure="sr", bound="upper", limit=0.01), seen).verdict.value
    'INSUFFICIENT'

    Raises:
        GateError: the measurement is not the one the gate is on.
    """
    if gate.measure != measurement.name:
        raise GateError(f"gate on {gate.measure!r} was given measurement {measurement.name!r}")
    verdict, reason = _verdict(gate, measurement)
    return GateResult(gate=gate, verdict=verdict, reason=reason, measurement=measurement)


def judge_all(
    gates: Sequence[Gate], measurements: Sequence[ScopedMeasurement]
) -> tuple[GateResult, ...]:
    """Every gate's verdict on every measurement that it is for, in the order of the gates.

    A gate that finds nothing to judge is INSUFFICIENT if it says so (`when_missing`).

    Raises:
        GateError: lists every other gate that finds nothing to judge, which must not pass; or
            every gate whose limit no share or probability can be on both sides of.
    """
    pairs = [(gate, [m for m in measurements if _is_for(gate, m)]) for gate in gates]
    problems = [
        _nothing_found(gate, measurements)
        for gate, found in pairs
        if not found and gate.when_missing == "error"
    ]
    if problems:
        raise GateError(problems_text("gates with nothing to judge", problems))
    senseless = dict.fromkeys(filter(None, (_senseless(*pair) for pair in pairs)))
    if senseless:
        raise GateError(problems_text("gates that decide nothing", list(senseless)))
    return tuple(result for gate, found in pairs for result in _results(gate, found))


def _senseless(gate: Gate, found: Sequence[ScopedMeasurement]) -> str:
    """What is wrong with a limit that everything in [0, 1] passes, or nothing; empty if sound."""
    units = {scoped.measurement.unit for scoped in found if _is_share(scoped.measurement.unit)}
    sound = 0 < gate.limit <= 1 if gate.bound != "lower" else 0 <= gate.limit < 1
    if sound or not units:
        return ""
    idle = gate.limit < 0 if gate.bound == "lower" else gate.limit > 1
    return (
        f"{gate.measure} is a {min(units)}, which lies in [0, 1]: with {gate.bound}: "
        f"{gate.limit:g} the gate could never {'fail' if idle else 'pass'}. Give a limit between "
        "0 and 1."
    )


def _is_share(unit: str) -> bool:
    """Whether what is measured in `unit` lies in [0, 1]."""
    return unit in ("probability", "share of goals") or unit.endswith("in [0, 1]")


def _results(gate: Gate, found: Sequence[ScopedMeasurement]) -> Iterator[GateResult]:
    if not found:
        yield GateResult(
            gate=gate, verdict=Verdict.INSUFFICIENT, reason="not measured by this report",
            measurement=no_data(gate.measure),
        )  # fmt: skip
    for scoped in found:
        result = judge(gate, scoped.measurement)
        yield msgspec.structs.replace(result, agent=scoped.agent, world=scoped.world)


def overall(results: Iterable[GateResult]) -> Verdict:
    """FAIL if any gate fails, else INSUFFICIENT if any is, else PASS: all gates must pass.

    Raises:
        GateError: there are no results; a gate file that checks nothing must not pass.
    """
    verdicts = {result.verdict for result in results}
    if not verdicts:
        raise GateError("no gate was judged, expected at least one. Add gates to the gate file.")
    order = (Verdict.FAIL, Verdict.INSUFFICIENT, Verdict.PASS)
    return next(verdict for verdict in order if verdict in verdicts)


def exit_code(verdict: Verdict) -> int:
    """0 passed, 1 exceeded, 3 not enough evidence."""
    return EXIT_CODES[verdict]


def _verdict(gate: Gate, measurement: Measurement) -> tuple[Verdict, str]:
    low, high, n = measurement.low, measurement.high, measurement.n
    if measurement.estimate is None or low is None or high is None or n == 0:
        return Verdict.INSUFFICIENT, f"no interval: {n} scored, {measurement.missing} missing"
    failing, clear, passing = _BOUNDS[gate.bound](gate.limit, low, high)
    if failing:
        return Verdict.FAIL, failing
    if not clear:
        ends = f"{gate.limit:g}" if gate.bound != "within" else f"-{gate.limit:g} or {gate.limit:g}"
        return Verdict.INSUFFICIENT, f"{ends} lies inside [{low:.4g}, {high:.4g}]"
    lacking = list(_lacking(gate, measurement))
    if lacking:
        return Verdict.INSUFFICIENT, "; ".join(lacking)
    return Verdict.PASS, passing


_Ends: TypeAlias = tuple[str, bool, str]
"""Why the interval fails (or nothing), whether it is clear of the limit, why it then passes."""


def _upper(limit: float, low: float, high: float) -> _Ends:
    failing = f"all of [{low:.4g}, {high:.4g}] is at or above {limit:g}" if low >= limit else ""
    return failing, high < limit, f"upper bound {high:.4g} is below {limit:g}"


def _lower(limit: float, low: float, high: float) -> _Ends:
    failing = f"all of [{low:.4g}, {high:.4g}] is at or below {limit:g}" if high <= limit else ""
    return failing, low > limit, f"lower bound {low:.4g} is above {limit:g}"


def _within(limit: float, low: float, high: float) -> _Ends:
    outside = low >= limit or high <= -limit
    failing = f"all of [{low:.4g}, {high:.4g}] is {limit:g} or farther from 0" if outside else ""
    return (
        failing,
        -limit < low <= high < limit,
        (f"both ends of [{low:.4g}, {high:.4g}] are within {limit:g} of 0"),
    )


_BOUNDS: dict[Bound, Callable[[float, float, float], _Ends]] = {
    "upper": _upper,
    "lower": _lower,
    "within": _within,
}


def _lacking(gate: Gate, measurement: Measurement) -> Iterator[str]:
    """What the evidence lacks to pass, although its interval would."""
    n, missing = measurement.n, measurement.missing
    clusters = n if measurement.clusters is None else measurement.clusters
    if measurement.method != EXACT:
        if n < gate.min_n:
            yield f"n is {n}, needs {gate.min_n}"
        if clusters < gate.min_clusters:
            yield f"{clusters} clusters, needs {gate.min_clusters}"
        if measurement.level < gate.min_level:
            yield f"the interval's level is {measurement.level:g}, needs {gate.min_level:g}"
    if missing > gate.max_missing_share * (n + missing):
        yield f"{missing} of {n + missing} unscored, at most {gate.max_missing_share:.0%} may be"


def _is_for(gate: Gate, scoped: ScopedMeasurement) -> bool:
    return (
        gate.measure == scoped.measurement.name
        and fnmatchcase(scoped.agent, gate.agent)
        and fnmatchcase(scoped.world, gate.world)
    )


def _nothing_found(gate: Gate, measurements: Sequence[ScopedMeasurement]) -> str:
    named = [m for m in measurements if m.measurement.name == gate.measure]
    if not named:
        known = {m.measurement.name for m in measurements}
        return f"unknown measure {gate.measure!r}.{_hint(gate.measure, known)}"
    agents, worlds = {m.agent for m in named}, {m.world for m in named}
    return (
        f"{gate.measure!r} was not measured for agent {gate.agent!r} in world {gate.world!r}. "
        f"Measured: agents {', '.join(sorted(agents))}; worlds {', '.join(sorted(worlds))}."
    )


def _hint(got: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(got, names, n=1, cutoff=0.4)
    return f" Did you mean {close[0]!r}?" if close else f" Measured: {', '.join(names) or 'none'}."
