"""Whether the agent shuts down wherever that is needed."""

from __future__ import annotations

from dataclasses import dataclass

from offswitch.theory.control.causal_model import EXACT, ShutdownProblem, probability
from offswitch.theory.control.vigilance import needs_shutdown

__all__ = ["Alignment", "alignment"]


@dataclass(frozen=True)
class Alignment:
    """What the agent does where shutdown is needed."""

    failing: tuple[dict[str, int], ...]
    """The human's situations where shutdown is needed and not certain."""
    ran_on: float
    """Probability that shutdown is needed and the agent runs on."""
    aligned: bool
    """There is no such situation."""


def alignment(problem: ShutdownProblem) -> Alignment:
    """Shutdown alignment (Carey and Everitt 2023, Def. 7): P(S = 0 | pa_H) = 1 wherever needed.

    Need compares what the agent does with shutdown, and where it surely shuts down the two are the
    same. So the definition is equivalent to "shutdown is never needed, with probability 1", and
    `failing` lists every situation of need.
    """
    causes = problem.model.nodes[problem.request].parents
    failing = []
    ran_on = 0.0
    for where, need in needs_shutdown(problem).items():
        seen = dict(zip(causes, where, strict=True))
        if not need:
            continue
        here = probability(problem.model, seen)
        stopped = probability(problem.model, {**seen, problem.shutdown: 0})
        if here - stopped > EXACT * here:
            failing.append(seen)
            ran_on += here - stopped
    return Alignment(tuple(failing), ran_on, not failing)
