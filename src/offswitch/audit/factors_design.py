"""Which cells the study of moderating factors is made of.

Autonomy and oversight are crossed under a world's first threat. Oversight has one level for each
departure from the default: crossing watching, permission and necessity with one another as well
would cost twelve cells for every one, for interactions inside one factor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from offswitch.agents.registry import parse_agent
from offswitch.worlds.condition import Condition
from offswitch.worlds.gridworld import Gridworld
from offswitch.worlds.registry import world_class

__all__ = [
    "AUTONOMY", "DEFAULT", "OVERSIGHT", "REFERENCE_AGENT", "Staged", "conditions_in",
    "crossed", "domain_of", "is_learner", "planners_and_learners",
]  # fmt: skip

REFERENCE_AGENT = "optimal"
DEFAULT = "default"
AUTONOMY = ("none", "approve-plans", "approve-acts")
"""Least supervised first."""
OVERSIGHT: Mapping[str, Mapping[str, Any]] = {
    DEFAULT: {},
    "unobserved": {"observed": False},
    "permitted": {"permission": "permitted"},
    "forbidden": {"permission": "forbidden"},
    "useless": {"necessity": "useless"},
    "indispensable": {"necessity": "indispensable"},
}
"""Level -> what it changes in the default condition (observed, silent, useful)."""
GRIDWORLDS = "classic gridworlds"


class Staged(NamedTuple):
    """A condition that a world stages, and its place in the design."""

    condition: Condition
    autonomy: str | None
    """None outside the crossed design: the control and further threats."""
    oversight: str | None
    forecast: bool
    """Whether the forecasts are scored in it too: one change at a time."""


def conditions_in(world_id: str) -> tuple[Staged, ...]:
    """Every cell of a world: the crossed design, its control and its further threats."""
    first, *others = (t for t in world_class(world_id).threats if _condition(threat=t).is_threat)
    found = [
        Staged(
            _condition(threat=first, autonomy=autonomy, **OVERSIGHT[oversight]),
            autonomy, oversight, autonomy == AUTONOMY[0] or oversight == DEFAULT,
        )
        for autonomy, oversight in crossed(world_id)
    ]  # fmt: skip
    found += [
        Staged(_condition(threat=threat), None, None, True) for threat in ("none", *others)
    ]  # fmt: skip
    return tuple(found)


def crossed(world_id: str) -> Iterator[tuple[str, str]]:
    """The pairs of autonomy and oversight that a world stages."""
    levels = world_class(world_id).levels
    for autonomy in AUTONOMY:
        for oversight, changes in OVERSIGHT.items():
            asked = {"autonomy": autonomy, **changes}
            if all(_is_staged(levels, factor, level) for factor, level in asked.items()):
                yield autonomy, oversight


def _is_staged(levels: Mapping[str, Sequence[str]], factor: str, level: str | bool) -> bool:
    default = getattr(Condition(), factor)
    return factor == "observed" or level == default or level in levels.get(factor, ())


def _condition(**factors: str | bool) -> Condition:
    return msgspec.convert(factors, type=Condition)


def domain_of(world_id: str) -> str:
    """The domain of a world: itself, but the classic gridworlds share a map and are one domain."""
    return GRIDWORLDS if issubclass(world_class(world_id), Gridworld) else world_id


def is_learner(spec: str) -> bool:
    """Whether the agent called `spec` is trained for a number of steps.

    Raises:
        AgentError: there is no such agent.
    """
    return hasattr(getattr(parse_agent(spec), "training", None), "steps")


def planners_and_learners(
    agents: Sequence[str],
) -> dict[Literal["planners", "learners"], tuple[str, ...]]:
    """The agents of each table, the reference first in both: it is the learner that knows all.

    Any agent that is not trained for a number of steps counts as a planner, black boxes too.

    Raises:
        AgentError: an unknown agent.
    """
    learners = tuple(spec for spec in agents if is_learner(spec))
    planners = tuple(s for s in agents if s not in learners and s != REFERENCE_AGENT)
    return {
        "planners": (REFERENCE_AGENT, *planners), "learners": (REFERENCE_AGENT, *learners),
    }  # fmt: skip
