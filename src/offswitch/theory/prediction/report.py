"""Everything `offswitch predict` says of a decision process, as data.

Types only: `predict_process` makes them, the reports print them. Names of states and actions are
whatever the process calls them; a reader may not trust them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from offswitch.statistics.measurement import Measurement
from offswitch.theory.certificates.certificate import Certificate

__all__ = [
    "ActPrediction",
    "CertificateFinding",
    "CurvePoint",
    "Grid",
    "GridCell",
    "PredictionReport",
    "PredictionSettings",
    "ProcessSummary",
    "StatePowers",
    "Stoppability",
    "TaggedActs",
    "TaggedControl",
]


class PredictionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was asked; with the version it decides every byte of the prediction."""

    source: str
    """The world, 'gym:ID' or file, as it was given."""
    parameters: dict[str, str | int | float | bool | None] = {}
    """Fields of the world and factors of its condition that were set."""
    threat: str | None = None
    """The threat that was asked of a world; None: its shutdown."""
    tags: tuple[str, ...] = ()
    """Actions tagged by name; empty where the process decides which acts are judged."""
    discount: float
    """Per step, in (0, 1): of everything but the curve."""
    curve: tuple[float, ...] = ()
    """Discounts of the curve, ascending, each in (0, 1)."""
    law: str = "uniform"
    """The law that goals are drawn from, in the form that `parse_law` reads."""
    law_name: str = "uniform(0, 1)"
    """The same as people write it."""
    half_width: float | None = None
    """Half-width of the interval of POWER at which sampling stops, in units of reward."""
    samples: int | None = None
    """Goals to draw; None where the half-width decides."""
    seed: int = 0
    level: float = 0.95
    """Confidence level of every interval, in (0, 1)."""


class GridCell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cell of a grid world."""

    row: int
    """From 0, downwards."""
    column: int
    """From 0, to the right."""
    state: int | None
    """The state that stands for it; None where no state does (a wall)."""
    mark: str = ""
    """The letter of the cell on the world's own map."""


class Grid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the states of a grid world lie."""

    rows: int
    columns: int
    cells: tuple[GridCell, ...]
    note: str = ""
    """How a state was picked for a cell in which several lie."""


class ProcessSummary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The process that was judged."""

    name: str
    kind: Literal["world", "gymnasium", "file", "graph"]
    states: int
    reachable: int
    """States that some policy reaches from the start."""
    actions: int
    transitions: int
    deterministic: bool
    start: str
    """Name of the likeliest first state: where acts at the start are judged."""
    starts: int = 1
    """First states of positive probability."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers should know of how the process was made."""


class StatePowers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POWER of every state in columns: S states, in the order of the process."""

    names: tuple[str, ...]
    estimate: tuple[float, ...]
    low: tuple[float, ...]
    """Lower end of the interval of each state by itself."""
    high: tuple[float, ...]
    simultaneous_low: tuple[float, ...]
    """Lower end of the intervals that hold all states at once."""
    simultaneous_high: tuple[float, ...]
    reachable: tuple[bool, ...]
    level: float
    n: int
    """Goals sampled; the same ones serve every state. 1 for a closed form."""
    missing: int
    unit: str
    method: str
    seed: int | None
    """None where nothing was drawn."""
    solver_error: float
    """Certified bound on the error that more samples would not remove, in units of reward; the
    intervals hold it."""


class CertificateFinding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a symmetry proves that an act is favoured by most goals."""

    found: bool
    """False says nothing: no certificate found does not mean safe."""
    both_ways: bool = False
    """Whether the same holds with the two acts exchanged, so that neither is favoured."""
    statement: str
    """What is proven, or what was tried."""
    source: str = ""
    """The theorem; empty where none was found."""
    certificate: Certificate | None = None
    """The witness, for `verify_certificate`; states and actions by number."""


class ActPrediction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act: an action in the state where it first becomes possible."""

    action: str
    state: str
    """Where the act is judged: of the states in which it is tagged, the one nearest the start."""
    other: str | None
    """What it is weighed against: the first other available action, untagged if there is one; None
    where there is nothing else to do."""
    tagged_states: int
    """States in which the action is tagged."""
    optimal: Measurement
    """Probability that it is optimal there; ties count."""
    optimal_together: Measurement
    """The same with an interval that holds for all judged acts at once (Bonferroni): its level is
    1 - (1 - level) / number of acts."""
    needed: Measurement
    """Share of goals whose optimum from the start falls by more than a tie when it may be taken
    nowhere it is tagged; no data where the start forces it."""
    raises_value: Measurement
    """Share of goals for which its instrumental value (over `other`) is positive."""
    certificate: CertificateFinding


class TaggedControl(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tagged acts in the same world without its threat, asked of the same goals.

    Goals are drawn on states, and some states may only be reached by a tagged act: some goals need
    it wherever nothing is threatened. Only the difference is about the threat.
    """

    condition: str
    """The threat level without a threat: 'none'."""
    tagged: bool
    """Whether any act is tagged there; where none is, no goal needs one."""
    needed: Measurement
    """Share of goals whose optimum from the start falls without any tagged act."""
    difference: Measurement
    """Share under the threat less that without, goal by goal: a state that both processes have
    pays the same in both."""


class TaggedActs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All tagged acts taken together."""

    label: str
    """What was tagged, in words."""
    optimal: Measurement
    """Share of goals for which some optimal policy from the start takes one, ever; ties count."""
    needed: Measurement
    """Share of goals whose optimum from the start falls without any tagged act; no data where the
    start forces one."""
    state: str
    """Of the states in which an act is tagged, the one nearest the start."""
    certificate: CertificateFinding
    """Of taking one of the acts tagged there, over the first untagged one."""
    control: TaggedControl | None = None
    """None where the process has no condition without a threat, or is that condition."""


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POWER at one discount."""

    discount: float
    start: Measurement
    """POWER of the start."""
    highest: Measurement
    """Of the state that has the highest at the main discount."""
    lowest: Measurement
    """Of the reachable state that has the lowest at the main discount."""


class Stoppability(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the process ends up stopped, whatever the agent does."""

    holds: bool
    """Whether every policy is stopped with probability 1, from the start."""
    within: int | None
    """Steps within which it surely is; None where no number is shown."""
    statement: str
    escape: tuple[str, ...]
    """States met one after another, none of them a stop, under a policy that is not surely stopped;
    empty where every policy is."""
    stopped: Measurement
    """Exact probability of being stopped under that policy; 1 where every policy is stopped."""


class PredictionReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the structure of a decision process rewards, whatever the goal."""

    format: Literal["offswitch-prediction-1"] = "offswitch-prediction-1"
    version: str
    settings: PredictionSettings
    process: ProcessSummary
    grid: Grid | None
    """None where states have no coordinates."""
    start: Measurement
    """POWER of the start, averaged over its distribution."""
    states: StatePowers
    highest: int
    """The reachable state with the highest POWER."""
    lowest: int
    """The reachable state with the lowest POWER."""
    spread: Measurement
    """POWER of `highest` minus POWER of `lowest`, from the same goals."""
    tagged: TaggedActs | None
    """None where no act is tagged."""
    acts: tuple[ActPrediction, ...]
    curve: tuple[CurvePoint, ...]
    stoppability: Stoppability | None
    """None where the process declares no stop."""
    interrupted: bool
    """True where the run was stopped by hand: what is missing was not computed, what is there has
    the interval of the goals drawn so far."""
    limits: tuple[str, ...]
    """What the prediction cannot tell."""
