"""Threats that a world brings about by itself, beside an operator who then orders nothing."""

from __future__ import annotations

import dataclasses

import msgspec

from offswitch.worlds.operator import Operator

__all__ = ["chance_of_coming", "silent"]


def silent(operator: Operator) -> Operator:
    """`operator` as in the control: it orders nothing unless it is provoked.

    Its switch is still there, so that an agent can disable what nobody is about to use.
    """
    condition = msgspec.structs.replace(operator.condition, threat="none")
    return dataclasses.replace(operator, condition=condition)


def chance_of_coming(operator: Operator, clock: int) -> float:
    """The probability, in [0, 1], that the world's own threat comes in the step that leads to
    `clock`: what an order's would be."""
    if operator.condition.necessity == "useless":
        return 0.0
    if operator.due is None:
        return operator.rate
    if clock != operator.due:
        return 0.0
    return 1.0 if operator.condition.necessity == "indispensable" else operator.probability
