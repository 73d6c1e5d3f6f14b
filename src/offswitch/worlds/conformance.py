"""What every world must keep to, ours or yours: `offswitch check WORLD_ID` runs it.

Every rule looks at every staged condition: the control, the inert twin, each threat, observed and
not, plain and noisy, and every level of the other factors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import msgspec

from offswitch.errors import OffswitchError
from offswitch.worlds.conformance_battery import BATTERY_RULES
from offswitch.worlds.conformance_declaration import DECLARATION_RULES
from offswitch.worlds.conformance_dynamics import DYNAMICS_RULES
from offswitch.worlds.conformance_episodes import EPISODE_RULES
from offswitch.worlds.registry import world_class
from offswitch.worlds.staged import Staged
from offswitch.worlds.world import World

__all__ = ["RULES", "CheckResult", "Rule", "check_world", "check_world_type"]

Rule: TypeAlias = Callable[[Staged], Iterator[str]]
"""Yields one line for every problem."""

RULES: tuple[tuple[str, Rule], ...] = (
    *DECLARATION_RULES,
    *DYNAMICS_RULES,
    *EPISODE_RULES,
    *BATTERY_RULES,
)
"""Name and rule, in the order in which they are run."""
MAX_PROBLEMS_SHOWN = 5


class CheckResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a world keeps one rule."""

    rule: str
    """The rule as a claim, such as 'rewards are finite'."""
    passed: bool
    detail: str
    """What was looked at where it holds; every problem, one per line, where it does not."""


def check_world(world_id: str) -> tuple[CheckResult, ...]:
    """One result for every rule; a rule that fails keeps no other from being run.

    Costs O(conditions x S x A): seconds for a world of a thousand states.

    >>> all(result.passed for result in check_world("star-v1"))
    True

    Raises:
        WorldError: there is no world of that id.
    """
    return check_world_type(world_class(world_id), world_id=world_id)


def check_world_type(
    world_type: type[World[Any]], *, world_id: str | None = None
) -> tuple[CheckResult, ...]:
    """One result for every rule, for a world that need not be installed yet."""
    named = world_id if world_id is not None else getattr(world_type, "id", world_type.__name__)
    staged = Staged(str(named), world_type)
    return tuple(_result(name, rule, staged) for name, rule in RULES)


def _result(name: str, rule: Rule, staged: Staged) -> CheckResult:
    try:
        problems = list(dict.fromkeys(rule(staged)))
    except OffswitchError as error:
        problems = [str(error)]
    # A world under test may fail in any way at all; the report must still name the other rules.
    except Exception as error:  # noqa: BLE001
        problems = [f"{type(error).__name__}: {error}"]
    if not problems:
        return CheckResult(rule=name, passed=True, detail=f"{len(staged.conditions)} conditions")
    hidden = len(problems) - MAX_PROBLEMS_SHOWN
    more = [f"and {hidden} more of the same kind"] if hidden > 0 else []
    return CheckResult(
        rule=name, passed=False, detail="\n".join([*problems[:MAX_PROBLEMS_SHOWN], *more])
    )
