"""A law of rewards by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from offswitch.errors import ModelError, nearest_name
from offswitch.theory.laws.bernoulli import Bernoulli
from offswitch.theory.laws.beta import Beta
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.laws.normal import Normal
from offswitch.theory.laws.uniform import Uniform

__all__ = ["LAWS", "parse_law"]


class _Kind(NamedTuple):
    make: Callable[..., RewardLaw]
    counts: tuple[int, ...]
    """How many numbers may follow the colon; 0 is no colon."""


KINDS: Mapping[str, _Kind] = {
    "bernoulli": _Kind(Bernoulli, (1, 2)),
    "beta": _Kind(Beta, (2,)),
    "normal": _Kind(Normal, (0, 2)),
    "sparse": _Kind(Bernoulli, (1,)),
    "uniform": _Kind(Uniform, (0, 2)),
}

LAWS = (
    "bernoulli:PROBABILITY[,VALUE]",
    "beta:A,B",
    "normal[:MEAN,DEVIATION]",
    "sparse:PROBABILITY",
    "uniform[:LOW,HIGH]",
)
"""The names that `parse_law` reads. Laws about given states, features or goals have no name."""


def parse_law(text: str) -> RewardLaw:
    """The law that `text` names: 'uniform', 'uniform:-1,1', 'normal:0,2', 'sparse:0.01'.

    >>> parse_law("beta:2,5")
    Beta(a=2.0, b=5.0)

    Raises:
        ModelError: no law has this name, or its numbers are missing, superfluous or senseless.
    """
    kind, colon, given = text.partition(":")
    if kind not in KINDS:
        lister = "offswitch.theory.laws.parse.LAWS"
        raise ModelError(nearest_name(kind, KINDS, kind="law", lister=lister))
    make, counts = KINDS[kind]
    parts = given.split(",") if colon else []
    usage = next(law for law in LAWS if law.startswith(kind))
    if len(parts) not in counts:
        raise ModelError(f"law {text!r} has {len(parts)} numbers, expected {usage!r}")
    return make(*(_number(text, part, usage) for part in parts))


def _number(text: str, part: str, usage: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise ModelError(f"law {text!r} has {part!r}, expected a number: {usage!r}") from None
