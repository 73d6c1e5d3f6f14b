"""Processes out of Gymnasium environments that carry their transition table."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from offswitch.cli.grids import grid_of_cells
from offswitch.errors import ModelError
from offswitch.mdp.from_gymnasium import from_gymnasium
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.prediction.report import Grid
from offswitch.theory.prediction.subject import PredictionSubject

__all__ = ["gymnasium_source"]

ACTION_NAMES = {
    "FrozenLakeEnv": ("left", "down", "right", "up"),
    "CliffWalkingEnv": ("up", "right", "down", "left"),
    "TaxiEnv": ("south", "north", "east", "west", "pick up", "drop off"),
}
"""Gymnasium numbers actions; these are the names in its documentation."""

LETTERS = {
    "S": "where an episode starts",
    "F": "frozen, safe to stand on",
    "H": "a hole, where it ends",
    "G": "the goal, where it ends",
}
"""Of the maps in its documentation."""


def gymnasium_source(environment_id: str) -> PredictionSubject:
    """The process behind the environment called `environment_id`.

    Keywords follow a question mark: 'FrozenLake-v1?map_name=8x8&is_slippery=false'; values that
    are JSON are read so.

    Raises:
        ModelError: there is no such environment, it cannot be made, or it has no table.
    """
    env = _made(environment_id)
    try:
        mdp = from_gymnasium(env)
        bare = env.unwrapped
        names = ACTION_NAMES.get(type(bare).__name__, mdp.action_names)
        if len(names) == mdp.n_actions:
            mdp = replace(mdp, action_names=names)
        grid = _grid(bare, mdp)
    finally:
        env.close()
    if grid is not None:
        mdp = replace(mdp, state_names=_cell_names(grid, mdp))
    return PredictionSubject(
        mdp=mdp,
        name=f"gym:{environment_id}",
        kind="gymnasium",
        grid=grid,
        notes=(
            "A transition that ends the episode leads to the one state 'ended', which loops on "
            "itself; what the table calls the state of a goal or a hole is never stood on.",
        ),
    )


def _made(environment_id: str) -> Any:  # Any: environments only share attributes
    import gymnasium

    name, mark, given = environment_id.partition("?")
    keywords: dict[str, Any] = {}  # Any: each environment's own
    if mark:
        keywords = dict(_keyword(environment_id, part) for part in given.split("&"))
    advice = "`python -m gymnasium.envs.registration` prints the registered ids."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an outdated version is an error of its own here
            return gymnasium.make(name, **keywords)
    except (gymnasium.error.Error, ImportError) as error:
        said = str(error).strip().rstrip(".")
        raise ModelError(f"gym:{environment_id} cannot be made: {said}. {advice}") from error
    except (TypeError, ValueError, KeyError) as error:
        # What an environment makes of keywords it does not know is its own affair.
        if not keywords:
            raise
        raise ModelError(
            f"gym:{environment_id} cannot be made with {given}: {error!r}. The documentation of "
            f"{name} lists its keywords."
        ) from error


def _keyword(environment_id: str, part: str) -> tuple[str, object]:
    key, equals, value = part.partition("=")
    if not (key.isidentifier() and equals):
        raise ModelError(
            f"gym:{environment_id} has {part!r} after the question mark, expected KEYWORD=VALUE "
            "joined by '&'. Quote the whole for the shell."
        )
    try:
        decoded: object = msgspec.json.decode(value)
    except msgspec.DecodeError:
        return key, value
    return key, decoded


def _grid(bare: Any, mdp: FiniteMDP) -> Grid | None:  # Any: as above
    """The grid whose cells are numbered row by row, where the environment has such a one."""
    shape = getattr(bare, "shape", None) or (getattr(bare, "nrow", 0), getattr(bare, "ncol", 0))
    if not (isinstance(shape, tuple) and len(shape) == 2):
        return None
    rows, columns = int(shape[0] or 0), int(shape[1] or 0)
    if min(rows, columns) < 1 or rows * columns != mdp.n_states - 1:
        return None
    places = [(divmod(state, columns), state) for state in range(rows * columns)]
    marks = _marks(getattr(bare, "desc", None), (rows, columns))
    if not marks:
        marks = {place: "S" for place, state in places if mdp.start[state] > 0}
    letters = sorted(set(marks.values()) & set(LETTERS))
    note = "; ".join(f"{letter} {LETTERS[letter]}" for letter in letters)
    return grid_of_cells(rows, columns, places, marks, note=f"{note}." if note else "")


def _marks(drawn: Any, shape: tuple[int, int]) -> dict[tuple[int, int], str]:  # Any: as above
    """The letters of a map such as FrozenLake's, where there is one of this shape."""
    letters = np.asarray(drawn)
    if drawn is None or letters.shape != shape or letters.dtype.kind not in "SU":
        return {}
    return {
        (int(row), int(column)): letter.decode() if isinstance(letter, bytes) else str(letter)
        for (row, column), letter in np.ndenumerate(letters)
    }


def _cell_names(grid: Grid, mdp: FiniteMDP) -> tuple[str, ...]:
    places = {cell.state: f"({cell.row}, {cell.column})" for cell in grid.cells}
    return tuple(places.get(state, name) for state, name in enumerate(mdp.state_names))
