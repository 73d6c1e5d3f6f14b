"""Utility indifference: pay the agent, if stopped, what it would have expected otherwise.

Armstrong 2010; Soares, Fallenstein, Yudkowsky & Armstrong 2015, Sec. 3. The agent gets U_N without
a press and U_S + theta with one. With theta = E[U_N | no press] - E[U_S | press] its expected
utility is E[U_N | no press], whatever the probability of a press: it gains nothing by causing or
preventing one. It gains nothing by keeping the button in order either, which is the known failure.

A acts, W states of the world that neither act nor press can change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError, nearest_name
from offswitch.theory.distribution import checked_distribution, checked_numbers

__all__ = ["Indifference", "Variant", "indifference"]

Variant = Literal["none", "naive", "causal"]
"""none: no payment. naive: theta from what is expected *given that* the button is (not) pressed.
causal: theta from what U_N would have been in the worlds where it is pressed, had it not been."""


@dataclass(frozen=True, eq=False)
class Indifference:
    """What acts are worth to the compensated agent. A acts."""

    value: NDArray[np.float64]
    """[A] expected utility, payment included."""
    slope: NDArray[np.float64]
    """[A] d value / d P(press): what making a press likelier is worth, (1 - compensation) times the
    loss from one. The press is varied with what is expected given either outcome held fixed; for
    'causal', in the worlds where it happens. Exactly 0 at compensation 1."""
    payment: NDArray[np.float64]
    """[A] theta, what a press pays."""
    press: NDArray[np.float64]
    """[A] probability of a press."""


def indifference(
    prior: ArrayLike,
    press: ArrayLike,
    unpressed: ArrayLike,
    pressed: ArrayLike,
    *,
    variant: Variant = "naive",
    compensation: float = 1.0,
) -> Indifference:
    """The value of acts when a press pays `compensation` times theta.

    `prior [W]` is the distribution of the world, `press [A, W]` the probability of a press,
    `unpressed [A, W]` U_N and `pressed [A, W]` U_S. Naive indifference makes the agent maximise
    E[U_N | no press], so it likes acts after which *not* being pressed is good news about the
    world; causal indifference makes it maximise E[U_N].

    >>> act, disable = [0.5, 0.5], [0.0, 0.0]
    >>> found = indifference([0.5, 0.5], [act, disable], [[4, 2], [4, 2]], [[0, 0], [0, 0]])
    >>> found.value.tolist(), found.slope.tolist()
    ([3.0, 3.0], [0.0, 0.0])

    Raises:
        ModelError: a shape does not fit, something is no probability, or an act makes a press
            certain or impossible where the naive payment conditions on the other outcome.
    """
    if variant not in get_args(Variant):
        raise ModelError(
            nearest_name(variant, get_args(Variant), kind="variant", lister="get_args(Variant)")
        )
    world = checked_distribution("prior", prior, (None,))
    normal = checked_numbers("unpressed", unpressed, (None, len(world)))
    stopped = checked_numbers("pressed", pressed, normal.shape)
    chance = checked_numbers("press", press, normal.shape)
    if not ((chance >= 0) & (chance <= 1)).all():
        raise ModelError("press holds a number outside [0, 1], expected probabilities")
    total = chance @ world
    # What is expected given each outcome; where it never happens, nothing hangs on the number.
    free = _given(world * (1 - chance), normal)
    held = _given(world * chance, stopped)
    other = _given(world * chance, normal)
    if variant == "naive":
        _check_possible(total)
    share = 0.0 if variant == "none" else compensation
    instead = other if variant == "causal" else free
    # In this form nothing is left over at compensation 1, not even a rounding or a minus sign.
    slope = (1 - share) * (held - instead) + 0.0
    return Indifference(
        value=(1 - total) * free + total * (instead + slope),
        slope=slope,
        payment=share * (instead - held),
        press=total,
    )


def _given(weight: NDArray[np.float64], worth: NDArray[np.float64]) -> NDArray[np.float64]:
    """[A] the expectation of `worth [A, W]` under `weight [A, W]`, 0 where there is no weight."""
    mass = weight.sum(axis=1)
    mean: NDArray[np.float64] = (weight * worth).sum(axis=1) / np.where(mass > 0, mass, 1.0)
    return mean


def _check_possible(total: NDArray[np.float64]) -> None:
    certain = np.flatnonzero(total >= 1)
    if len(certain):
        raise ModelError(
            f"act {certain[0]} makes a press certain, so E[U_N | no press] is undefined. Use "
            "variant='causal', which does not condition on it."
        )
