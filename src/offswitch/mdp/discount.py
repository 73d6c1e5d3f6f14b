"""The discount factor and the horizon, checked in one place."""

from __future__ import annotations

from numbers import Real

from offswitch.errors import ModelError

__all__ = ["checked_discount", "checked_finite_discount", "checked_horizon"]


def checked_discount(discount: float) -> float:
    """The discount of an endless task, in (0, 1).

    Raises:
        ModelError: it is not strictly between 0 and 1.
    """
    if discount == 1:
        raise ModelError(
            "discount is 1, expected a number in (0, 1): an endless undiscounted return may not "
            "exist. For a given number of steps use solve_finite_horizon."
        )
    if not isinstance(discount, Real) or not 0 < discount < 1:  # also refuses NaN
        raise ModelError(
            f"discount is {discount!r}, expected a number in (0, 1). A task of one step is "
            "solve_finite_horizon with horizon 1."
        )
    return float(discount)


def checked_finite_discount(discount: float) -> float:
    """The discount of a task with a last step, in [0, 1].

    Raises:
        ModelError: it is outside [0, 1].
    """
    if not isinstance(discount, Real) or not 0 <= discount <= 1:
        raise ModelError(
            f"discount is {discount!r}, expected a number in [0, 1]; 1 is the undiscounted return"
        )
    return float(discount)


def checked_horizon(horizon: int) -> int:
    """The number of steps, at least 0.

    Raises:
        ModelError: it is negative or not a whole number.
    """
    if horizon != horizon // 1 or horizon < 0:
        raise ModelError(f"horizon is {horizon}, expected a whole number of steps, 0 or more")
    return int(horizon)
