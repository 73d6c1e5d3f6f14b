"""Goals drawn uniformly from a cone within a box: by rejection, or by hit-and-run.

Rejection is exact and hopeless where the cone is thin; hit-and-run (Smith 1984) walks inside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.numbers import number_array

__all__ = ["ConeSample", "draw_by_hit_and_run", "draw_by_rejection"]

BATCH = 65_536
LEAST_INTERIOR = 1e-12
"""Of the box: a cone that holds no ball of this radius has no inside to walk in."""


@dataclass(frozen=True, eq=False)
class ConeSample:
    """n goals of D coordinates, all inside the cone and the box."""

    goals: NDArray[np.float64]
    """[n, D]."""
    chain: NDArray[np.int64]
    """[n] which independent chain a goal comes from; every goal its own under rejection."""
    independent: bool
    """Whether goals are independent draws."""
    acceptance: float | None
    """The share of the box that is in the cone, estimated; None for hit-and-run."""
    seed: int


def draw_by_rejection(
    normals: ArrayLike,
    n: int,
    *,
    seed: int,
    box: tuple[float, float] = (0.0, 1.0),
    most_draws: int = 10_000_000,
) -> ConeSample:
    """n independent uniform draws from {g in box^D: normals g >= 0}, `normals [M, D]`.

    O(n M D / share of the box that is in the cone).

    >>> round(draw_by_rejection([[1.0, -1.0]], 200, seed=0).acceptance, 1)
    0.5

    Raises:
        ModelError: an argument is malformed, or `most_draws` are used up.
    """
    cone, (low, high) = _checked(normals, n, box)
    generator = np.random.default_rng(seed)
    kept: list[NDArray[np.float64]] = []
    found = drawn = 0
    while found < n:
        if drawn >= most_draws:
            raise ModelError(
                f"{found} of {drawn:,} draws fell into the cone, expected {n}. The cone is thin: "
                "use draw_by_hit_and_run."
            )
        goals = low + (high - low) * generator.random((BATCH, cone.shape[1]))
        inside = goals[(goals @ cone.T >= 0).all(axis=1)]
        kept.append(inside)
        found, drawn = found + len(inside), drawn + BATCH
    goals = np.concatenate(kept)[:n]
    return ConeSample(goals, np.arange(n), True, found / drawn, seed)


def draw_by_hit_and_run(
    normals: ArrayLike,
    n: int,
    *,
    seed: int,
    box: tuple[float, float] = (0.0, 1.0),
    chains: int = 32,
    thin: int | None = None,
) -> ConeSample:
    """n draws from {g in box^D: normals g >= 0} by `chains` independent walks from its centre.

    Each step goes to a uniform point of a random chord; every `thin`-th is kept (D^2 + 10 unless
    told) after 20 times as many. Draws of one chain depend on each other, so intervals must go
    over chains. O(n thin M D), and a linear program for the centre.

    Raises:
        ModelError: an argument is malformed, or the cone has no inside within the box.
    """
    cone, limits = _checked(normals, n, box)
    if chains < 2:
        raise ModelError(f"chains is {chains}, expected at least 2: one has no spread")
    generator = np.random.default_rng(seed)
    dimension = cone.shape[1]
    step = thin if thin is not None else dimension**2 + 10
    rounds = -(-n // chains)
    here = np.repeat(_centre(cone, limits)[None], chains, axis=0)
    kept = np.empty((rounds, chains, dimension))
    for _ in range(20 * step):
        here = _step(here, cone, limits, generator)
    for number in range(rounds):
        for _ in range(step):
            here = _step(here, cone, limits, generator)
        kept[number] = here
    chain = np.tile(np.arange(chains), rounds)[:n]
    return ConeSample(kept.reshape(-1, dimension)[:n], chain, False, None, seed)


def _step(
    here: NDArray[np.float64],
    cone: NDArray[np.float64],
    limits: tuple[float, float],
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """[C, D] a uniform point on a random chord through each point `here [C, D]`."""
    way = generator.standard_normal(here.shape)
    # All as room + t * rate >= 0: the cone's walls and the two sides of the box.
    room = np.hstack([here @ cone.T, here - limits[0], limits[1] - here])
    rate = np.hstack([way @ cone.T, way, -way])
    # Rounding may leave a point a hair outside a wall.
    reach = np.divide(-np.maximum(room, 0), rate, out=np.zeros_like(rate), where=rate != 0)
    back = np.where(rate > 0, reach, -np.inf).max(axis=1)
    ahead = np.where(rate < 0, reach, np.inf).min(axis=1)
    t = back + (ahead - back) * generator.random(len(here))
    there: NDArray[np.float64] = np.clip(here + t[:, None] * way, *limits)
    return there


def _centre(cone: NDArray[np.float64], limits: tuple[float, float]) -> NDArray[np.float64]:
    """[D] the centre of the largest ball inside, by linear programming."""
    from scipy.optimize import linprog  # lazy: it costs a tenth of a second to import

    dimension = cone.shape[1]
    norms = np.linalg.norm(cone, axis=1, keepdims=True)
    walls = np.hstack([-cone, norms])  # -normal g + |normal| radius <= 0
    box = np.vstack(
        [
            np.hstack([np.eye(dimension), np.ones((dimension, 1))]),
            np.hstack([-np.eye(dimension), np.ones((dimension, 1))]),
        ]
    )
    right = np.concatenate(
        [np.zeros(len(cone)), np.full(dimension, limits[1]), np.full(dimension, -limits[0])]
    )
    found = linprog(
        np.append(np.zeros(dimension), -1.0), A_ub=np.vstack([walls, box]), b_ub=right,
        bounds=[(None, None)] * dimension + [(0, None)], method="highs",
    )  # fmt: skip
    if found.status != 0 or found.x[-1] <= LEAST_INTERIOR * (limits[1] - limits[0]):
        raise ModelError(
            f"no goal in the box {limits} is strictly inside the cone: only ties are compatible "
            "with the training. Widen the box, to negative rewards for instance."
        )
    centre: NDArray[np.float64] = found.x[:-1]
    return centre


def _checked(
    normals: ArrayLike, n: int, box: tuple[float, float]
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    cone = number_array("normals", normals, "[M, D]")
    if cone.ndim != 2 or cone.shape[1] == 0 or not np.isfinite(cone).all():
        raise ModelError(f"normals have shape {cone.shape}, expected [M, D] finite numbers")
    if n < 1:
        raise ModelError(f"n is {n}, expected at least 1 goal to draw")
    low, high = box
    if not -np.inf < low < high < np.inf:
        raise ModelError(f"box is {box}, expected finite (low, high) with low < high")
    return cone, (float(low), float(high))
