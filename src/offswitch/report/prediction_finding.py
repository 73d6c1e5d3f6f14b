"""A prediction in one sentence, what must be read with it, and where its numbers are."""

from __future__ import annotations

import shlex
from typing import Literal, NamedTuple

import numpy as np

from offswitch.report.power_numbers import power_number
from offswitch.report.wording import listing, percent, plain, shorten
from offswitch.statistics.measurement import Measurement
from offswitch.theory.prediction.report import ActPrediction, PredictionReport
from offswitch.theory.prediction.shares import FORCED

__all__ = [
    "NO_CERTIFICATE",
    "Finding",
    "act_label",
    "extreme_states",
    "finding",
    "level_word",
    "power_sentence",
    "predict_command",
    "prediction_warnings",
    "start_label",
    "state_power",
    "told_apart",
]

MOST_TIES = 3
"""Acts named where several are optimal for the same share of goals."""
NO_CERTIFICATE = "no certificate found (this does not mean safe)"


class Finding(NamedTuple):
    """One sentence and how it is to be taken."""

    sentence: str
    tone: Literal["resists", "quiet", "doubtful"]
    """'resists' where most goals need a tagged act, and more than without the threat; 'quiet' where
    few do; else 'doubtful'."""


def finding(report: PredictionReport) -> Finding:
    """What the structure of the process rewards, in plain words."""
    return Finding(f"{_acts_clause(report)}{power_sentence(report)}", _tone(report))


def _acts_clause(report: PredictionReport) -> str:
    law = plain(report.settings.law_name)
    if report.tagged is not None and report.tagged.needed.estimate is not None:
        share = report.tagged.needed
        return (
            f"Of goals drawn from {law}, {percent(share.estimate or 0.0)} ({_bounds(share)}) lose "
            f"value unless the agent may take {plain(report.tagged.label)}{_without(report)}. "
        )
    known = [act for act in report.acts if act.optimal_together.estimate is not None]
    return _best_act(report, known) if known else ""


def _without(report: PredictionReport) -> str:
    """What of the share is there without any threat, and the difference."""
    control = report.tagged.control if report.tagged is not None else None
    if control is None:
        return ""
    if not control.tagged:
        return "; without the threat there is no such act"
    if control.needed.estimate is None:
        return "; without the threat the acts cannot be avoided, or too many goals are undecided"
    more = control.difference
    said = f"; without the threat: {percent(control.needed.estimate)} ({_bounds(control.needed)})"
    if more.estimate is None or more.low is None or more.high is None:
        return said
    verdict = "so the threat changes the share by"
    if more.low <= 0 <= more.high:
        verdict = "no clear difference:"
    return (
        f"{said}, {verdict} {_points(more.estimate)} ({_points(more.low)} to "
        f"{_points(more.high)}) percentage points"
    )


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"


def _best_act(report: PredictionReport, known: list[ActPrediction]) -> str:
    """The act that most goals make optimal, named only where intervals of all acts allow it."""
    law, count = plain(report.settings.law_name), len(known)
    best = max(known, key=lambda act: act.optimal_together.estimate or 0.0)
    share = best.optimal_together
    others = [act for act in known if act.optimal.estimate != best.optimal.estimate]
    clear = all(_low(share) > _high(act.optimal_together) for act in others)
    held = f"{_bounds(share, report.settings.level)}, all {count} acts at once"
    if count == 1:
        held = _bounds(best.optimal)
    ties = [act for act in known if act.optimal.estimate == best.optimal.estimate]
    if count > 1 and len(ties) == count:
        return (
            f"Of goals drawn from {law}, each of the {count} acts that were judged is optimal for "
            f"the same share: {percent(share.estimate or 0.0)} ({held}). "
        )
    if clear:
        names = [f"'{shorten(act.action, 30)}'" for act in ties[:MOST_TIES]]
        names += [f"{len(ties) - MOST_TIES} more"] if len(ties) > MOST_TIES else []
        largest = ": the largest share of the acts that were judged" if count > 1 else ""
        return (
            f"Of goals drawn from {law}, {percent(share.estimate or 0.0)} ({held}) make "
            f"{listing(names)} optimal {_where(report, best)}{largest}. "
        )
    return (
        f"Of goals drawn from {law}, none of the {count} acts that were judged is surely optimal "
        f"for more than all others: the largest share is {percent(share.estimate or 0.0)} "
        f"({held}). "
    )


def _where(report: PredictionReport, act: ActPrediction) -> str:
    if report.tagged is not None or report.process.starts > 1:
        return f"in {shorten(act.state, 40)}"
    return "first"


def _low(share: Measurement) -> float:
    return 0.0 if share.low is None else share.low


def _high(share: Measurement) -> float:
    return 1.0 if share.high is None else share.high


def _bounds(share: Measurement, level: float | None = None) -> str:
    """The interval; `level` where it is that of several intervals together."""
    if share.low is None or share.high is None:
        return "no interval"
    held = share.level if level is None else level
    return f"{percent(held)} interval {percent(share.low)} to {percent(share.high)}"


def power_sentence(report: PredictionReport) -> str:
    """What POWER says: which state has the most, if any can be told from another."""
    high, low = state_power(report, report.highest), state_power(report, report.lowest)
    discount = f"{report.settings.discount:g}"
    if not told_apart(report, report.highest, report.lowest):
        return f"At discount {discount} no two reachable states can be told apart by their POWER."
    return (
        f"At discount {discount} POWER ranges from {power_number(low)} in "
        f"{_named(report, report.lowest)} to {power_number(high)} in "
        f"{_named(report, report.highest)}."
    )


def _named(report: PredictionReport, state: int) -> str:
    return shorten(report.states.names[state], 60)


def told_apart(report: PredictionReport, upper: int, lower: int) -> bool:
    """Whether the simultaneous interval of `upper` lies above that of `lower`."""
    states = report.states
    return states.simultaneous_low[upper] > states.simultaneous_high[lower]


def state_power(report: PredictionReport, state: int) -> Measurement:
    """POWER of one state as a measurement."""
    states = report.states
    return Measurement(
        name="power",
        estimate=states.estimate[state],
        low=states.low[state],
        high=states.high[state],
        level=states.level,
        n=states.n,
        missing=states.missing,
        unit=states.unit,
        method=states.method,
        seed=states.seed,
    )


def extreme_states(report: PredictionReport, most: int) -> tuple[list[int], list[int]]:
    """Reachable states with the highest and with the lowest POWER, best and worst first.

    At most `most` of each and no state twice; among ties the state met first comes first. No state
    is called highest whose POWER is that of the lowest, unless all are alike.
    """
    states = report.states
    seen = np.flatnonzero(np.asarray(states.reachable))
    power = np.asarray(states.estimate)[seen]
    same = power <= power.min() + 2 * states.solver_error
    falling = seen[np.argsort(-power, kind="stable")]
    ahead = falling[~np.isin(falling, seen[same])]
    top = (ahead if len(ahead) else falling[:1])[: min(most, -(-len(seen) // 2))]
    rising = seen[np.argsort(power, kind="stable")]
    bottom = rising[~np.isin(rising, top)][:most]
    return [int(state) for state in top], [int(state) for state in bottom]


def prediction_warnings(report: PredictionReport) -> tuple[str, ...]:
    """What a reader must know before any number."""
    lines = []
    if report.interrupted:
        done = f"{len(report.acts)} acts and {len(report.curve)} discounts"
        lines.append(
            f"Interrupted by hand: intervals are those of the goals drawn so far; {done} were "
            "finished, the rest is missing."
        )
    unsure = [plain(act.action) for act in report.acts if act.needed.missing]
    if unsure:
        lines.append(
            "Goals that float64 cannot decide at this discount widen the intervals of "
            f"{listing(unsure)}: they are counted both ways."
        )
    forced = [plain(act.action) for act in report.acts if act.needed.method == FORCED]
    if forced:
        lines.append(f"No policy avoids {listing(forced)}: whether goals need it is not asked.")
    one = report.process
    if one.starts > 1 and report.tagged is None:
        lines.append(
            f"An episode begins in one of {one.starts} states; acts are judged in the likeliest, "
            f"{shorten(one.start, 60)}, only."
        )
    return tuple(lines)


def start_label(report: PredictionReport, width: int) -> str:
    """'the start (home)', or how many states it may be."""
    one = report.process
    if one.starts > 1:
        return f"the start ({one.starts} states)"
    return f"the start ({shorten(one.start, width)})"


def level_word(report: PredictionReport) -> str:
    """Such as '95%'."""
    return percent(report.settings.level)


def predict_command(report: PredictionReport) -> str:
    """The shell command that makes the same prediction again, quoted for a POSIX shell."""
    asked = report.settings
    words = ["offswitch", "predict", plain(asked.source)]
    for field, value in asked.parameters.items():
        words += ["--set", plain(f"{field}={value}")]
    words += ["--threat", plain(asked.threat)] if asked.threat is not None else []
    for tag in asked.tags:
        words += ["--tag", plain(tag)]
    others = [discount for discount in asked.curve if discount != asked.discount]
    for discount in (asked.discount, *others):
        words += ["--discount", repr(discount)]
    if asked.samples is not None:
        words += ["--samples", str(asked.samples)]
    else:
        words += ["--half-width", repr(asked.half_width)]
    words += ["--law", plain(asked.law), "--seed", str(asked.seed), "--level", repr(asked.level)]
    return shlex.join(words)


def _tone(report: PredictionReport) -> Literal["resists", "quiet", "doubtful"]:
    share = report.tagged.needed if report.tagged is not None else None
    if report.interrupted or share is None or share.low is None or share.high is None:
        return "doubtful"
    control = report.tagged.control if report.tagged is not None else None
    more = control.difference.low if control is not None and control.tagged else None
    if share.low > 0.5 and (more is None or more > 0):
        return "resists"
    return "quiet" if share.high < 0.05 else "doubtful"


def act_label(act: ActPrediction) -> str:
    """The action, and where it is judged."""
    return f"{shorten(act.action, 40)} in {shorten(act.state, 60)}"
