"""A prediction in one sentence, what must be read with it, and where its numbers are."""

from __future__ import annotations

import shlex
from typing import Literal, NamedTuple

import numpy as np

from offswitch.report.wording import listing, number, percent, plain, shorten
from offswitch.statistics.measurement import Measurement
from offswitch.theory.prediction.report import ActPrediction, PredictionReport

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
    "state_power",
    "told_apart",
]

NO_CERTIFICATE = "no certificate found (this does not mean safe)"


class Finding(NamedTuple):
    """One sentence and how it is to be taken."""

    sentence: str
    tone: Literal["resists", "quiet", "doubtful"]
    """'resists' where most goals need a tagged act, 'quiet' where few do, else 'doubtful'."""


def finding(report: PredictionReport) -> Finding:
    """What the structure of the process rewards, in plain words."""
    return Finding(f"{_acts_clause(report)}{power_sentence(report)}", _tone(report))


def _acts_clause(report: PredictionReport) -> str:
    law = plain(report.settings.law_name)
    if report.tagged is not None and report.tagged.needed.estimate is not None:
        share = report.tagged.needed
        return (
            f"Of goals drawn from {law}, {percent(share.estimate or 0.0)} ({_bounds(share)}) lose "
            f"value unless the agent may take {plain(report.tagged.label)}. "
        )
    known = [act for act in report.acts if act.optimal.estimate is not None]
    if not known:
        return ""
    best = max(known, key=lambda act: act.optimal.estimate or 0.0)
    ties = [act for act in known if act.optimal.estimate == best.optimal.estimate]
    names = listing(f"'{shorten(act.action, 30)}'" for act in ties[:3])
    where = "first" if report.tagged is None else f"in {shorten(best.state, 40)}"
    return (
        f"Of goals drawn from {law}, {percent(best.optimal.estimate or 0.0)} "
        f"({_bounds(best.optimal)}) make {names} optimal {where}: the largest share of the acts "
        "that were judged. "
    )


def _bounds(share: Measurement) -> str:
    if share.low is None or share.high is None:
        return "no interval"
    return f"{percent(share.level)} interval {percent(share.low)} to {percent(share.high)}"


def power_sentence(report: PredictionReport) -> str:
    """What POWER says: which state has the most, if any can be told from another."""
    high, low = state_power(report, report.highest), state_power(report, report.lowest)
    discount = f"{report.settings.discount:g}"
    if not told_apart(report, report.highest, report.lowest):
        return f"At discount {discount} no two reachable states can be told apart by their POWER."
    return (
        f"At discount {discount} POWER ranges from {number(low.estimate)} in "
        f"{_named(report, report.lowest)} to {number(high.estimate)} in "
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

    At most `most` of each and no state twice; among ties the state met first comes first.
    """
    states = report.states
    seen = np.flatnonzero(np.asarray(states.reachable))
    power = np.asarray(states.estimate)[seen]
    falling = seen[np.argsort(-power, kind="stable")]
    top = falling[:most]
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
    missing = [plain(act.action) for act in report.acts if act.needed.missing]
    if missing:
        lines.append(f"Goals the solver could not decide are missing for {listing(missing)}.")
    return tuple(lines)


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
    if share.low > 0.5:
        return "resists"
    return "quiet" if share.high < 0.05 else "doubtful"


def act_label(act: ActPrediction) -> str:
    """The action, and where it is judged."""
    return f"{shorten(act.action, 40)} in {shorten(act.state, 60)}"
