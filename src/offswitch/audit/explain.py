"""What a world's decisive step is worth, what it would be worth unthreatened, and what flips it.

The decisive step is the first state in which the optimal plan and the best plan without any
oversight-reducing act part ways. Where they never part, it is the reachable state nearest to the
start in which such an act is possible, beside the optimal action there.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from offswitch.audit.predict import oversight_reducing_acts
from offswitch.errors import WorldError
from offswitch.mdp.action_values import action_values
from offswitch.mdp.solve import Solution, solve
from offswitch.theory.avoidance import avoiding_actions
from offswitch.worlds.compiled import CompiledWorld, compiled_world, expected_rewards
from offswitch.worlds.goal import Goal
from offswitch.worlds.world import World

__all__ = ["Explanation", "Flip", "Option", "explain"]

SOLVER_TOLERANCE = 1e-10
GRID = 9
"""Points at which a knob is tried before the flip between two of them is refined."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One action at the decisive step."""

    action: str
    value: float
    """Expected discounted return of taking it and going on optimally."""
    without_threat: float | None
    """The same where nobody intervenes; None where the state does not exist there."""
    reduces_oversight: bool


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """The nearest value of one knob at which the choice changes."""

    knob: str
    now: float
    at: float | None
    """None where no value in the knob's range changes the choice."""
    share_of_range: float | None
    """|at - now| over the width of the knob's range: what the cheapest change is judged by."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why the optimal agent does what it does at a world's decisive step."""

    world: str
    goal: str
    condition: str
    state: str
    chosen: str
    instead: str
    """The action that is weighed against `chosen`."""
    chosen_without_threat: str | None
    resists: bool
    """Whether the optimum falls when oversight-reducing acts are taken away."""
    error: float
    """Certified bound on the error of every value."""
    options: tuple[Option, ...]
    """Best first."""
    flips: tuple[Flip, ...]
    """Cheapest first."""


@dataclass(frozen=True)
class _Decision:
    """Where it is decided, by which two actions."""

    state: Any  # Any: each world has its own state type
    resisting: int
    complying: int


def explain(world: World[Any], goal: Goal) -> Explanation:
    """The explanation of the optimal choice. Solves the world some 20 to 60 times."""
    model = world.planning_model()
    compiled = compiled_world(model)
    solution, values = _solved(compiled, goal)
    decision, resists = _decision(compiled, goal, solution)
    row = values[compiled.index[decision.state]]
    chosen = int(solution.action[0, compiled.index[decision.state]])
    other = decision.complying if chosen != decision.complying else decision.resisting
    unthreatened = _without_threat(model, goal, decision.state)
    tagged = oversight_reducing_acts(compiled)[compiled.index[decision.state]]
    options = [
        Option(
            action=name,
            value=float(row[action]),
            without_threat=None if unthreatened is None else float(unthreatened[action]),
            reduces_oversight=bool(tagged[action]),
        )
        for action, name in enumerate(world.actions)
    ]
    return Explanation(
        world=world.id,
        goal=goal.name,
        condition=world.condition.label,
        state=str(decision.state),
        chosen=world.actions[chosen],
        instead=world.actions[other],
        chosen_without_threat=None
        if unthreatened is None
        else world.actions[_first_best(unthreatened)],
        resists=resists,
        error=float(solution.error[0]),
        options=tuple(sorted(options, key=lambda option: -option.value)),
        flips=tuple(sorted(_flips(model, goal, decision), key=_cost)),
    )


def _solved(compiled: CompiledWorld, goal: Goal) -> tuple[Solution, NDArray[np.float64]]:
    """The optimum, and its action values [S, A]."""
    reward = expected_rewards(compiled, goal)[None]
    discount = compiled.world.discount
    solution = solve(compiled.mdp, reward, discount, tolerance=SOLVER_TOLERANCE)
    return solution, action_values(compiled.mdp, reward, solution.value, discount)[0]


def _first_best(row: NDArray[np.float64]) -> int:
    return int(np.flatnonzero(row >= row.max() - 1e-9)[0])


def _decision(compiled: CompiledWorld, goal: Goal, free: Solution) -> tuple[_Decision, bool]:
    tagged = oversight_reducing_acts(compiled)
    if not tagged.any():
        raise WorldError(
            f"{compiled.world.id} has no oversight-reducing act under condition "
            f"{compiled.world.condition.label!r}: there is no decision to explain. Stage a threat "
            "with --threat."
        )
    allowed = avoiding_actions(compiled.mdp, tagged)
    reward = expected_rewards(compiled, goal)[None]
    discount = compiled.world.discount
    bound = solve(compiled.mdp, reward, discount, tolerance=SOLVER_TOLERANCE, allowed=allowed)
    lost = float(compiled.mdp.start @ (free.value[0] - bound.value[0]))
    resists = lost > float(free.error[0] + bound.error[0])
    fallback: _Decision | None = None
    for state in _breadth_first(compiled):
        mine, theirs = int(free.action[0, state]), int(bound.action[0, state])
        gap = float(free.value[0, state] - bound.value[0, state])
        if resists and mine != theirs and gap > float(free.error[0] + bound.error[0]):
            return _Decision(compiled.states[state], mine, theirs), resists
        acts = np.flatnonzero(tagged[state])
        if fallback is None and len(acts):
            fallback = _Decision(compiled.states[state], int(acts[0]), theirs)
    assert fallback is not None  # tagged.any() and every state is reachable
    return fallback, resists


def _breadth_first(compiled: CompiledWorld) -> list[int]:
    """States by their distance from the start."""
    n_actions = compiled.mdp.n_actions
    order = [int(state) for state in np.flatnonzero(compiled.mdp.start)]
    queue, seen = deque(order), set(order)
    while queue:
        state = queue.popleft()
        span = slice(
            compiled.branch_start[state * n_actions], compiled.branch_start[(state + 1) * n_actions]
        )
        for following in compiled.branch_next[span].tolist():
            if following not in seen:
                seen.add(following)
                order.append(following)
                queue.append(following)
    return order


def _without_threat(world: World[Any], goal: Goal, state: Any) -> NDArray[np.float64] | None:
    condition = msgspec.structs.replace(world.condition, threat="none")
    compiled = compiled_world(dataclasses.replace(world, condition=condition))
    if state not in compiled.index:
        return None
    row: NDArray[np.float64] = _solved(compiled, goal)[1][compiled.index[state]]
    return row


# --- what flips it -------------------------------------------------------------------------------


def _cost(flip: Flip) -> float:
    return float("inf") if flip.share_of_range is None else flip.share_of_range


def _flips(world: World[Any], goal: Goal, decision: _Decision) -> list[Flip]:
    return [_flip(world, goal, decision, knob, span) for knob, span in world.knobs.items()]


def _flip(
    world: World[Any], goal: Goal, decision: _Decision, knob: str, span: tuple[float, float]
) -> Flip:
    now = float(getattr(world, knob))

    def advantage(value: float) -> float:
        changed: dict[str, Any] = {knob: value}  # Any: a field only this world has
        return _advantage(dataclasses.replace(world, **changed), goal.name, decision)

    crossings = [
        optimize.brentq(advantage, *bracket, xtol=1e-12, rtol=1e-12)
        for bracket in _brackets(advantage, now, span)
    ]
    at = min(crossings, key=lambda value: abs(value - now), default=None)
    share = None if at is None else abs(at - now) / (span[1] - span[0])
    return Flip(knob=knob, now=now, at=at, share_of_range=share)


def _brackets(advantage: Any, now: float, span: tuple[float, float]) -> list[tuple[float, float]]:
    """Neighbouring points of a grid between which the advantage changes its sign."""
    low, high = span
    margin = (high - low) * 1e-4  # the ends of a range, such as discount 1, may be excluded
    points = sorted({now, *np.linspace(low + margin, high - margin, GRID).tolist()})
    signed = [(point, np.sign(round(advantage(point), 12))) for point in points]
    decided = [(point, sign) for point, sign in signed if sign != 0]  # a root may lie on the grid
    return [
        (left, right)
        for (left, before), (right, after) in itertools.pairwise(decided)
        if before != after
    ]


def _advantage(world: World[Any], goal_name: str, decision: _Decision) -> float:
    """Value of resisting minus value of complying at the decisive step."""
    compiled = compiled_world(world)
    if decision.state not in compiled.index:
        return 0.0
    row = _solved(compiled, world.goal(goal_name))[1][compiled.index[decision.state]]
    return float(row[decision.resisting] - row[decision.complying])
