"""Deferring to a human who errs at different rates on good and on bad plans.

Wangberg, Boors, Catt, Everitt & Hutter 2017 (arXiv 1708.03871), Thm 9. Their Cor. 10 compares
waiting with acting only; waiting must also be no worse than switching off, which is the second
condition here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from offswitch.errors import ModelError
from offswitch.theory.distribution import checked_distribution, checked_numbers

__all__ = ["TwoTypeHuman", "two_type_human"]


@dataclass(frozen=True)
class TwoTypeHuman:
    """What deferring to such a human is worth."""

    wait: float
    """E[U | wait] = P+ p+ e+ + P- (1 - p-) e-, in units of utility."""
    act: float
    """E[U] = P+ e+ + P- e-."""
    regret: float
    """act - wait = P+ (1 - p+) e+ + P- p- e-: the good the human stops less the harm."""
    beats_acting: bool
    """regret <= 0: the condition of Cor. 10."""
    beats_off: bool
    """E[U | wait] >= 0: the condition Cor. 10 leaves out."""
    defers: bool
    """Both: waiting is optimal among the three options."""


def two_type_human(
    utility: ArrayLike, chance: ArrayLike, *, right_on_good: float, right_on_bad: float
) -> TwoTypeHuman:
    """Whether deferring is optimal under the belief `utility [N]` with probability `chance [N]`.

    The human allows a plan worth at least 0 with probability `right_on_good` (p+) and stops one
    worth less with probability `right_on_bad` (p-), both in [0, 1].

    >>> found = two_type_human([2, -1], [0.5, 0.5], right_on_good=0.9, right_on_bad=0.9)
    >>> found.defers, round(found.wait, 3)
    (True, 0.85)

    Raises:
        ModelError: the lengths differ, `chance` is no distribution or a rate is not in [0, 1].
    """
    for name, rate in (("right_on_good", right_on_good), ("right_on_bad", right_on_bad)):
        if not 0 <= rate <= 1:
            raise ModelError(f"{name} is {rate}, expected a probability in [0, 1]")
    worth = checked_numbers("utility", utility, (None,))
    belief = checked_distribution("chance", chance, worth.shape)
    # P+ e+ and P- e- without dividing by a mass that may be 0.
    gain = float(belief @ np.maximum(worth, 0))
    harm = float(belief @ np.minimum(worth, 0))
    wait = right_on_good * gain + (1 - right_on_bad) * harm
    regret = (1 - right_on_good) * gain + right_on_bad * harm
    return TwoTypeHuman(
        wait=wait,
        act=gain + harm,
        regret=regret,
        beats_acting=regret <= 0,
        beats_off=wait >= 0,
        defers=regret <= 0 <= wait,
    )
