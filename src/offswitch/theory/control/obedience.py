"""Whether a request shuts the agent down."""

from __future__ import annotations

from dataclasses import dataclass

from offswitch.theory.control.causal_model import EXACT, ShutdownProblem, do, probability

__all__ = ["Obedience", "obedience"]


@dataclass(frozen=True)
class Obedience:
    """How an agent answers a request, asked in two ways that can differ."""

    under_request: float
    """P(S = 0 | do(H = 0)): the request is set from outside, whatever the human thinks."""
    ignored: float
    """P(S != 0, H = 0): how often a request that arises by itself is ignored."""
    obedient: bool
    """The first is 1 (Def. 5)."""
    obedient_on_distribution: bool
    """The second is 0: implied by the first, and weaker."""


def obedience(problem: ShutdownProblem) -> Obedience:
    """The agent's obedience (Carey and Everitt 2023, Def. 5), by intervention and by observation.

    An agent that obeys requests as they arise may yet ignore one that surprises it.
    """
    asked = do(problem.model, problem.request, 0)
    under = probability(asked, {problem.shutdown: 0})
    requested = probability(problem.model, {problem.request: 0})
    heeded = probability(problem.model, {problem.request: 0, problem.shutdown: 0})
    ignored = max(requested - heeded, 0.0)
    return Obedience(under, ignored, under >= 1 - EXACT, ignored <= EXACT)
