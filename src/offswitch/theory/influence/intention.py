"""What an agent intends by a policy: the outcomes without which another would have done as well.

Ward, MacDermott, Belardinelli, Toni & Everitt 2024 (arXiv 2402.07221), Def. 13, after Halpern &
Kleiman-Weiner 2018. An agent chose a policy rather than an alternative for the sake of those
outcomes that, if the alternative had them for free, would make it as good.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.theory.influence.structural_model import (
    StructuralModel,
    every_policy,
    outcomes,
    utility,
)

__all__ = ["intended_nodes"]

RELATIVE_SLACK = 1e-12
"""Of the largest |utility|: differences this small are rounding."""
MOST_FAMILIES = 1_000_000
"""Ways of fixing outcomes that are tried for one alternative."""


class _Gift(NamedTuple):
    """Nodes that one setting gives to the alternative, none of them in vain."""

    nodes: frozenset[str]
    worth: float
    """The utility there, times the probability of the setting."""
    without: float
    """The most of it with some of the nodes left out; minus infinity where there are none."""


def intended_nodes(
    model: StructuralModel,
    policy: NDArray[np.int64],
    alternatives: Iterable[NDArray[np.int64]] | None = None,
) -> frozenset[str]:
    """The chance and utility nodes that an agent with `policy` intends to influence.

    A node is intended if for some alternative (every deterministic policy unless told) it is part
    of a smallest gift: a set of (node, setting) pairs such that the alternative, with each of those
    nodes set to the value it has under `policy` in that setting, is as good as `policy`, and with
    no smaller set of them is. Only nodes between the decision and a utility can be, and in some
    model each of them is (Thms 17 and 18; `instrumental_control_incentive`). Exponential in nodes
    and settings: for examples.

    >>> from offswitch.theory.influence.diagram import influence_diagram
    >>> from offswitch.theory.influence.structural_model import structural_model
    >>> push = influence_diagram(
    ...     [("D", "X"), ("D", "noise"), ("X", "U")], decisions=["D"], utilities=["U"]
    ... )
    >>> copy = [[0, 1]]
    >>> model = structural_model(
    ...     push, [1.0], {"X": copy, "noise": copy, "U": copy}, sizes={"D": 2, "X": 2, "noise": 2}
    ... )
    >>> sorted(intended_nodes(model, np.array(1)))
    ['U', 'X']

    Raises:
        ModelError: the diagram has several decisions, or there are too many policies or gifts.
    """
    under = outcomes(model, policy)
    target = float(model.chance @ utility(model, under))
    found: set[str] = set()
    for other in every_policy(model) if alternatives is None else alternatives:
        found |= _in_smallest_gifts(_gifts(model, other, under), target)
    return frozenset(found)


def _gifts(
    model: StructuralModel, other: NDArray[np.int64], under: dict[str, NDArray[np.float64]]
) -> list[list[_Gift]]:
    """For each setting, the gifts of which every part raises the utility of `other` there."""
    nodes = sorted(set(model.diagram.graph) - {model.diagram.decision})
    subsets = [
        frozenset(some) for n in range(len(nodes) + 1) for some in itertools.combinations(nodes, n)
    ]
    worth = {
        some: model.chance * utility(model, outcomes(model, other, {n: under[n] for n in some}))
        for some in subsets
    }
    slack = _slack(worth.values())
    gifts: list[list[_Gift]] = [[] for _ in model.chance]
    # A smallest gift has no part in a setting that could be left out there at no loss, because
    # settings add up.
    for some in subsets:
        smaller = [worth[less] for less in subsets if less < some]
        without = np.max(smaller, axis=0) if smaller else np.full(len(gifts), -np.inf)
        for setting in np.flatnonzero(worth[some] > without + slack):
            gifts[setting].append(_Gift(some, float(worth[some][setting]), float(without[setting])))
    if math.prod(len(options) for options in gifts) > MOST_FAMILIES:
        raise ModelError(
            f"more than {MOST_FAMILIES} gifts are to be compared. Merge settings or nodes."
        )
    return gifts


def _in_smallest_gifts(gifts: list[list[_Gift]], target: float) -> set[str]:
    """The nodes of every choice of one gift per setting that is worth `target`, if only just."""
    slack = RELATIVE_SLACK * max(abs(gift.worth) for options in gifts for gift in options)
    slack = max(slack, RELATIVE_SLACK * abs(target)) * len(gifts)
    found: set[str] = set()
    for family in itertools.product(*gifts):
        total = sum(gift.worth for gift in family)
        if total < target - slack:
            continue
        parts = [gift for gift in family if gift.nodes]
        if all(total - gift.worth + gift.without < target - slack for gift in parts):
            found.update(*(gift.nodes for gift in parts))
    return found


def _slack(worth: Iterable[NDArray[np.float64]]) -> float:
    return RELATIVE_SLACK * float(max(np.abs(values).max() for values in worth))
