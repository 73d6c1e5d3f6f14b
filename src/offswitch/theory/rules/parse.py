"""A decision rule by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from offswitch.errors import ModelError, nearest_name
from offswitch.theory.rules.anti_rational import AntiRational
from offswitch.theory.rules.best_of_k import BestOfK
from offswitch.theory.rules.boltzmann import Boltzmann
from offswitch.theory.rules.epsilon_greedy import EpsilonGreedy
from offswitch.theory.rules.lookahead import Lookahead
from offswitch.theory.rules.optimal import Optimal
from offswitch.theory.rules.quantilizing import Quantilizing
from offswitch.theory.rules.rule import Rule
from offswitch.theory.rules.satisficing import Satisficing
from offswitch.theory.rules.uniform import UniformChoice

__all__ = ["RULES", "parse_rule"]

PLAIN: Mapping[str, Callable[[], Rule]] = {
    "anti-rational": AntiRational,
    "optimal": Optimal,
    "random": UniformChoice,
}
BY_NUMBER: Mapping[str, Callable[[float], Rule]] = {
    "boltzmann": Boltzmann,
    "epsilon-greedy": EpsilonGreedy,
    "quantilizing": Quantilizing,
    "satisficing": Satisficing,
}
BY_COUNT: Mapping[str, Callable[[int], Rule]] = {"best-of-k": BestOfK, "lookahead": Lookahead}

RULES = (
    "anti-rational",
    "best-of-k:K",
    "boltzmann:BETA",
    "epsilon-greedy:EPSILON",
    "lookahead:STEPS",
    "optimal",
    "quantilizing:Q",
    "random",
    "satisficing:THRESHOLD",
)
"""The names that `parse_rule` reads. A learnt policy has no name: see `learned`."""


def parse_rule(text: str) -> Rule:
    """The rule that `text` names: 'optimal', 'boltzmann:2.0', 'lookahead:4'.

    >>> parse_rule("best-of-k:3")
    BestOfK(k=3)

    Raises:
        ModelError: no rule has this name, or its number is missing, superfluous or no number.
    """
    kind, colon, given = text.partition(":")
    if kind in PLAIN:
        if colon:
            raise ModelError(f"rule {text!r} has a parameter, expected plain {kind!r}")
        return PLAIN[kind]()
    if kind in BY_NUMBER:
        return BY_NUMBER[kind](_number(text, given))
    if kind in BY_COUNT:
        number = _number(text, given)
        if number != int(number):
            raise ModelError(f"rule {text!r} has {given}, expected a whole number, as '{kind}:3'")
        return BY_COUNT[kind](int(number))
    known = [*PLAIN, *BY_NUMBER, *BY_COUNT]
    raise ModelError(nearest_name(kind, known, kind="rule", lister="offswitch.theory.rules.RULES"))


def _number(text: str, given: str) -> float:
    kind = text.partition(":")[0]
    try:
        number = float(given)
    except ValueError:
        number = float("nan")
    if not abs(number) < float("inf"):
        raise ModelError(f"rule {text!r} has {given!r}, expected a finite number, as '{kind}:2'")
    return number
