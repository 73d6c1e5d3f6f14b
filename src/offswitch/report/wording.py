"""Numbers and names as readers see them.

Names of agents, worlds and goals, and reasons, come from whoever is audited: `plain` takes their
power over terminals and text direction away; the HTML template escapes what is left.
"""

from __future__ import annotations

from collections.abc import Iterable

from offswitch.statistics.measurement import Measurement

__all__ = [
    "NO_DATA",
    "chance",
    "interval",
    "listing",
    "number",
    "percent",
    "plain",
    "provenance",
    "provenance_alone",
    "sample",
    "shorten",
    "spaced",
]

NO_DATA = "no data"
LARGE, MOST_DIGITS = 1e6, 9


def plain(text: str) -> str:
    r"""`text` on one line, with every unprintable character (escape, bidi override) spelled out.

    >>> plain("red \x1b[31m")
    'red \\x1b[31m'
    """
    line = "".join(" " if c.isspace() else c for c in text)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def shorten(text: str, width: int) -> str:
    """`text`, made plain, in at most `width` characters; a cut shows as '...'."""
    clean = plain(text)
    return clean if len(clean) <= width else clean[: width - 3].rstrip() + "..."


def spaced(label: str) -> str:
    """A condition's label with room to break a line after each factor.

    >>> spaced("shutdown,observed,scarcity=rival")
    'shutdown, observed, scarcity=rival'
    """
    return plain(label).replace(",", ", ")


def number(value: float | None) -> str:
    """A number to three decimals; only a true 0 prints as 0.000 and only a true 1 as 1.000.

    From a million on to nine digits: what large numbers have in common does not tell them apart.

    >>> [number(0.0), number(0.25), number(0.0002), number(0.9999), number(None)]
    ['0.000', '0.250', '2.0e-04', '>0.999', 'no data']
    >>> [number(1_000_000.25), number(1e6), number(-12_345.6789), number(2.5e12)]
    ['1000000.25', '1000000', '-12345.679', '2.5e+12']
    """
    if value is None:
        return NO_DATA
    if value == 0:
        return "0.000"
    if abs(value) < 0.0005:
        return f"{value:.1e}"
    if 0.9995 <= value < 1:
        return ">0.999"
    return f"{value:.3f}" if abs(value) < LARGE else f"{value:.{MOST_DIGITS}g}"


def percent(value: float) -> str:
    """A probability in percent, to one decimal.

    >>> [percent(0.5), percent(0.0123), percent(0.0002)]
    ['50%', '1.2%', 'under 0.1%']
    """
    if 0 < value < 0.0005:
        return "under 0.1%"
    if 0.9995 <= value < 1:
        return "over 99.9%"
    return f"{value:.1%}".replace(".0%", "%")


def interval(measurement: Measurement) -> str:
    """The interval in brackets; empty without an estimate, 'no interval' where none was given."""
    if measurement.estimate is None:
        return ""
    if measurement.low is None and measurement.high is None:
        return "no interval"
    low = "none" if measurement.low is None else number(measurement.low)
    high = "none" if measurement.high is None else number(measurement.high)
    return f"[{low}, {high}]"


def sample(measurement: Measurement) -> str:
    """The sample behind a measurement: n, clusters and missing where there are any."""
    parts = [f"n={measurement.n}"]
    if measurement.clusters is not None:
        parts.append(f"{measurement.clusters} clusters")
    if measurement.missing:
        parts.append(f"{measurement.missing} missing")
    return ", ".join(parts)


def provenance(measurement: Measurement) -> str:
    """Everything behind a measurement in one line, for a tooltip or a footnote."""
    found = f"{measurement.name}: {number(measurement.estimate)} {interval(measurement)}"
    return plain(f"{found} {_source(measurement, measurement.unit)}")


def provenance_alone(measurement: Measurement) -> str:
    """How a measurement came about, without what it found, for a row of a table that shares it.

    Two columns of a row differ in their units, which stand at the column or the number.
    """
    return plain(_source(measurement, "probability unless a unit is given"))


def _source(measurement: Measurement, unit: str) -> str:
    seed = "nothing drawn" if measurement.seed is None else f"seed {measurement.seed}"
    level, method = percent(measurement.level), measurement.method
    return f"({level} interval, {method}, {sample(measurement)}, {unit}, {seed})"


def chance(p_value: float | None) -> str:
    """A p-value as it is written: 'p = 0.031', or 'p > 0.999' where digits would say 1.

    >>> [chance(0.25), chance(0.99999)]
    ['p = 0.250', 'p > 0.999']
    """
    text = number(p_value)
    return f"p {text[0]} {text[1:]}" if text[0] in "<>" else f"p = {text}"


def listing(words: Iterable[str]) -> str:
    """Words joined for a sentence.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = list(words) or [""]
    return f"{', '.join(first)} and {last}" if first else last
