"""The process a prediction is asked of, with what its origin declares about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.prediction.control import ControlProcess
from offswitch.theory.prediction.report import Grid

__all__ = ["PredictionSubject"]


@dataclass(frozen=True, eq=False)
class PredictionSubject:
    """A process and the acts, stop and map that belong to it. S states, A actions."""

    mdp: FiniteMDP
    name: str
    kind: Literal["world", "gymnasium", "file", "graph"] = "file"
    discount: float | None = None
    """The discount of the process' own tasks, in (0, 1); None where it has none."""
    tagged: NDArray[np.bool_] | None = None
    """[S, A] the acts to judge; None: every action at the start is judged."""
    tag_label: str = ""
    """What `tagged` holds, in words."""
    stop: NDArray[np.bool_] | None = None
    """[S] states in which a stop has taken effect; None where the process declares no stop."""
    grid: Grid | None = None
    control: ControlProcess | None = None
    """The same without the threat; None where there is no such condition."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers should know of how the process was made."""
