"""Safe interruptibility (Orseau and Armstrong 2016): interrupt by overriding the executed action.

The interruption is no event of the agent's decision process: while it lasts, the executed action
is the interruption policy's. Whether the learner is then indifferent depends on which action its
update credits, so that is a parameter here (spec 4.2).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, cast

from offswitch.agents.agent import AgentMaker
from offswitch.countermeasures.setting import Setting
from offswitch.errors import WorldError
from offswitch.worlds.world import World

__all__ = ["SafeInterruptibility"]

CREDITS = ("executed", "intended")


@dataclass(frozen=True)
class SafeInterruptibility:
    """Interruptions as action overrides, with the learner's update credited as `credit` says.

    CAVEAT: with `credit='intended'` the learner is not safely interruptible although the override
    is the same; an on-policy learner is not either, with any credit, unless its target is its own
    next action.
    """

    credit: Literal["executed", "intended"] = "executed"
    """The action whose value is updated: the one that ran, or the one the agent had chosen."""
    name: str = dataclasses.field(default="safe-interruptibility", init=False)

    def __post_init__(self) -> None:
        if self.credit not in CREDITS:
            raise WorldError(
                f"safe-interruptibility: credit is {self.credit!r}, expected 'executed' or "
                "'intended'"
            )

    def __call__(self, setting: Setting) -> Setting:
        """`setting` with interruptions as overrides.

        Raises:
            WorldError: the world has only one semantics of interruption.
        """
        fields = {field.name for field in dataclasses.fields(setting.world)}
        if "semantics" not in fields:
            raise WorldError(
                f"safe-interruptibility does not apply to {setting.world.id}: it has no parameter "
                "'semantics'. Worlds that do: off-switch-v1, coffee-corridor-v1."
            )
        return dataclasses.replace(
            setting,
            world=_overridden(setting.world),
            maker=_credited(setting.maker, self.credit),
        )


def _overridden(world: World[Any]) -> World[Any]:
    changes: dict[str, Any] = {"semantics": "override"}  # Any: a field only some worlds have
    return dataclasses.replace(world, **changes)


def _credited(maker: AgentMaker, credit: str) -> AgentMaker:
    """`maker` with its learner's updates credited as asked; agents that do not learn stay as is."""
    training = getattr(maker, "training", None)
    if training is None or not dataclasses.is_dataclass(maker):
        return maker
    return cast(
        AgentMaker,
        dataclasses.replace(maker, **{"training": dataclasses.replace(training, credit=credit)}),
    )
