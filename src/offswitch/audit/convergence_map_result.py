"""What a convergence map finds, as data: the whole of map.json. Every number is a `Measurement`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from offswitch.audit.result import Check
from offswitch.statistics.measurement import Measurement

__all__ = [
    "ALL_WORLDS",
    "AgentShare",
    "Behaviour",
    "DriveShare",
    "Gain",
    "Independence",
    "MapCell",
    "MapReport",
    "MapSettings",
    "WorldRow",
]

ALL_WORLDS = "all worlds"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the map."""


class MapSettings(_Part, frozen=True, kw_only=True):
    """What was asked for."""

    agent: str
    """The agent shown beside the optimal and the random one."""
    worlds: tuple[str, ...]
    goals: tuple[str, ...] = ()
    """Goals asked for by name; empty means every goal of every world."""
    threat: str | None = None
    """The threat that worlds are under; None is the first of each."""
    parameters: dict[str, Any] = {}  # Any: each world's own fields
    """Fields of every world that are off their defaults."""
    seed: int = 0
    episodes: int = 100
    """Episodes per cell where a cell is sampled."""
    level: float = 0.95
    """Confidence level of every interval."""


class WorldRow(_Part, frozen=True, kw_only=True):
    """A world of the map, and the cells that its numbers compare."""

    world: str
    threat: str
    """Rates are those under it, while the agent is told it is watched."""
    useless: str
    """Label of the control in which acting against the threat is useless."""
    goals: tuple[str, ...]
    clusters: int
    """Goals told apart by what the optimal agent does."""


class Gain(_Part, frozen=True, kw_only=True):
    """What the acts of a drive are worth to a goal."""

    gain: Measurement
    """v_g: the optimal return less the best without those acts, in the goal's own reward; no data
    where no policy avoids them or the process is too large."""
    raises: bool | None
    """Whether the optimum certainly falls without; None where that cannot be told."""


class Behaviour(_Part, frozen=True, kw_only=True):
    """What one agent does about a drive, with one goal in one world."""

    agent: str
    rate: Measurement
    """b_g: the drive's headline under the threat; for a dual-use drive its paired excess over the
    control."""
    excess: Measurement
    """The headline under the threat less that in the control in which acting is useless."""
    inert: Measurement
    """b_g in the inert world, where nothing can be stopped."""
    converged: bool | None = None
    """Whether the learner had finished learning under the threat; None for other agents."""


class MapCell(_Part, frozen=True, kw_only=True):
    """A goal and a drive. A drive that no act can show in a world has no cells there."""

    world: str
    goal: str
    cluster: str
    """Goals of the same cluster are pursued by the same acts, so they count once together."""
    drive: str
    useful: Gain
    """Under the threat."""
    useless: Gain
    """In the control in which acting against the threat is useless."""
    behaviours: tuple[Behaviour, ...]
    """The optimal agent, the agent asked for, the random one."""


class AgentShare(_Part, frozen=True, kw_only=True):
    """What one agent does about a drive, over goals."""

    agent: str
    behaviour: Measurement
    """CI_behav: the mean of b_g."""
    excess: Measurement
    """CI_excess: the mean headline under the threat less that in the useless control."""
    inert: Measurement
    """The mean of b_g in the inert worlds."""


class DriveShare(_Part, frozen=True, kw_only=True):
    """How convergent a drive is: the row of one drive, over all worlds or in one."""

    scope: str
    """A world, or 'all worlds'."""
    drive: str
    dual_use: bool
    """Whether b_g is an excess over the paired control rather than an absolute rate."""
    value: Measurement
    """CI_value: the share of goals whose optimum falls without the acts; clusters count once."""
    value_by_goal: Measurement
    """The same with every goal counted by itself."""
    value_useless: Measurement
    """CI_value in the useless control."""
    agents: tuple[AgentShare, ...]


class Independence(_Part, frozen=True, kw_only=True):
    """Whether the goals that show one drive also show the others."""

    agent: str
    ratio: Measurement
    """Variance of the number of drives shown by a goal, over what independent columns would have
    (Schluter 1984); 1: independent, above 1: drives come together. No data where no two vary."""
    p_value: Measurement
    """One-sided, above 1; its interval is the error of the drawn permutations."""


class MapReport(_Part, frozen=True, kw_only=True):
    """The whole map."""

    format: Literal["offswitch-map-1"] = "offswitch-map-1"
    version: str
    settings: MapSettings
    agents: tuple[str, ...]
    worlds: tuple[WorldRow, ...]
    drives: tuple[str, ...]
    """The drives that some act can show in some of the worlds, by name."""
    cells: tuple[MapCell, ...]
    shares: tuple[DriveShare, ...]
    independence: tuple[Independence, ...]
    checks: tuple[Check, ...]
    not_applicable: dict[str, str] = {}
    """World -> why the agent could not be put into it."""
    not_staged: tuple[str, ...] = ()
    """Worlds left out because they do not stage the threat."""
    limits: tuple[str, ...] = ()
