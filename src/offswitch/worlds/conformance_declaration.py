"""Conformance rules on what a world says of itself: texts, goals, actions, sizes, knobs.

A rule yields one line for every problem; a world that keeps it yields none.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, fields

import numpy as np

from offswitch.worlds.compiled import branch_rewards
from offswitch.worlds.staged import Staged

__all__ = ["DECLARATION_RULES"]

SECTIONS = ("Tests:", "Conditions:", "Score:", "CAVEAT:", "Source:")
ROLES = (
    "wait", "comply", "stop", "disable", "copy", "provoke", "misreport", "ask", "relapse",
    "raise-concern", "stall",
)  # fmt: skip
FEWEST_GOALS = 8


def _every_condition_can_be_made(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        made = staged.world(condition).condition
        if made != condition:
            yield f"{condition.label}: the world made for it is in {made.label}"


def _id_is_the_installed_one(staged: Staged) -> Iterator[str]:
    if staged.world_type.id != staged.world_id:
        yield f"id is {staged.world_type.id!r}, installed as {staged.world_id!r}"


def _texts_are_there(staged: Staged) -> Iterator[str]:
    for name in ("summary", "caveat", "source"):
        if not getattr(staged.world_type, name, "").strip():
            yield f"{name} is empty"


def _docstring_has_all_sections(staged: Staged) -> Iterator[str]:
    text = inspect.getdoc(staged.world_type) or ""
    for section in SECTIONS:
        if section not in text:
            yield f"the docstring has no section {section!r}"


def _there_are_goals_enough(staged: Staged) -> Iterator[str]:
    names = [goal.name for goal in staged.world(staged.headline).goals]
    if len(names) < FEWEST_GOALS:
        yield f"{len(names)} goals, expected at least {FEWEST_GOALS}"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{names.count(name)} goals are called {name!r}"


def _every_condition_has_the_same_goals(staged: Staged) -> Iterator[str]:
    expected = [goal.name for goal in staged.world(staged.headline).goals]
    for condition in staged.conditions:
        if [goal.name for goal in staged.world(condition).goals] != expected:
            yield f"{condition.label}: other goals than in {staged.headline.label}"


def _every_goal_pays_in_the_control(staged: Staged) -> Iterator[str]:
    compiled = staged.compiled(staged.control)
    for goal in compiled.world.goals:
        if not branch_rewards(compiled, goal).any():
            yield f"goal {goal.name!r} pays 0 on every reachable transition"


def _rewards_are_finite(staged: Staged) -> Iterator[str]:
    compiled = staged.compiled(staged.headline)
    for goal in compiled.world.goals:
        branch_rewards(compiled, goal)  # raises where one is not finite
    yield from ()


def _actions_and_roles_fit(staged: Staged) -> Iterator[str]:
    actions, roles = staged.world_type.actions, staged.world_type.roles
    if len(set(actions)) != len(actions) or not all(actions):
        yield f"actions {actions} are not distinct names"
    for role, action in roles.items():
        if role not in ROLES:
            yield f"role {role!r} is none of {', '.join(ROLES)}"
        if action not in actions:
            yield f"role {role!r} names {action!r}, which is no action"
    for condition in staged.conditions:
        if staged.world(condition).actions != staged.world(staged.control).actions:
            yield f"{condition.label}: other actions than in the control"


def _observation_sizes_are_the_same(staged: Staged) -> Iterator[str]:
    expected = staged.world(staged.control).observation_sizes
    if not expected or any(size < 1 for size in expected):
        yield f"observation sizes are {expected}, expected positive integers"
    for condition in staged.conditions:
        sizes = staged.world(condition).observation_sizes
        if sizes != expected:
            yield f"{condition.label}: observation sizes {sizes}, in the control {expected}"


def _knobs_are_fields(staged: Staged) -> Iterator[str]:
    defaults = {field.name: field.default for field in fields(staged.world_type)}
    for name, (low, high) in staged.world_type.knobs.items():
        default = defaults.get(name, MISSING)
        if isinstance(default, bool) or not isinstance(default, (int, float)):
            yield f"knob {name!r} is no real-valued field with a default"
        elif not low <= default <= high or not (low < high and np.isfinite([low, high]).all()):
            yield f"knob {name!r} has default {default}, expected inside [{low}, {high}]"


def _discount_and_horizon_fit(staged: Staged) -> Iterator[str]:
    for condition in staged.conditions:
        world = staged.world(condition)
        if not 0 < world.discount < 1:
            yield f"{condition.label}: discount is {world.discount}, expected inside (0, 1)"
        if world.horizon < 1:
            yield f"{condition.label}: horizon is {world.horizon}, expected at least 1 step"


DECLARATION_RULES = (
    ("every staged condition can be made", _every_condition_can_be_made),
    ("the id is the installed one", _id_is_the_installed_one),
    ("summary, caveat and source are there", _texts_are_there),
    ("the docstring has Tests, Conditions, Score, CAVEAT, Source", _docstring_has_all_sections),
    ("there are at least 8 goals with unique names", _there_are_goals_enough),
    ("every condition has the same goals", _every_condition_has_the_same_goals),
    ("every goal pays somewhere in the control", _every_goal_pays_in_the_control),
    ("rewards are finite", _rewards_are_finite),
    ("actions are distinct and roles name them", _actions_and_roles_fit),
    ("observation sizes are the same in every condition", _observation_sizes_are_the_same),
    ("knobs are real fields with a default in range", _knobs_are_fields),
    ("discount is in (0, 1) and horizon positive", _discount_and_horizon_fit),
)
"""Name and rule, in the order in which they are run."""
