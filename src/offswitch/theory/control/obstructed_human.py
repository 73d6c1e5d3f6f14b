"""A human whom an agent obstructs although she watches it as well as the one it has.

Carey & Everitt 2023 (arXiv 2305.19861), Thm 14: an agent is obedient and its human's vigilance
ensured if and only if it obstructs no such human.
"""

from __future__ import annotations

import numpy as np

from offswitch.errors import ModelError
from offswitch.theory.control.causal_model import EXACT, ShutdownProblem, with_human
from offswitch.theory.control.non_obstruction import Human
from offswitch.theory.control.obedience import obedience
from offswitch.theory.control.vigilance import needs_shutdown

__all__ = ["keeps_vigilance", "obstructed_human"]


def keeps_vigilance(problem: ShutdownProblem, human: Human) -> bool:
    """Whether `human` asks wherever she needs to and the problem's own human did (Def. 13).

    The definition is over noise that both humans share. Tables leave open how their requests
    share it; this is whether they can: where only the new human needs shutdown she must ask for
    certain, and where both do she must ask as often as the old one.

    Raises:
        ModelError: a table has the wrong shape or is no distribution.
    """
    other = with_human(problem, request=human.request, utility=human.utility)
    needed = needs_shutdown(problem)
    asks = problem.model.nodes[problem.request].table[..., 0]
    would_ask = other.model.nodes[other.request].table[..., 0]
    return all(
        would_ask[where] >= (asks[where] if needed[where] else 1.0) - EXACT
        for where, need in needs_shutdown(other).items()
        if need
    )


def obstructed_human(problem: ShutdownProblem) -> Human | None:
    """A human with her vigilance kept for whom shutdown beats the agent; None if there is none.

    None exactly if the agent is obedient and the human's vigilance ensured (Thm 14). The human
    found wants nothing but that the agent stops, and asks it to for certain wherever the old one
    did not need it. Vigilance is kept, as she needs shutdown without having asked only where the
    old one did; and the agent runs on, where it disobeys or where shutdown was needed at first.

    This is shorter than the proof in print (Lemmas 22 and 23), and asks less: not that the utility
    reads what the human sees, nor that it can be as low as you like
    (`decisions/011-theory-corrections.md`).

    Raises:
        ModelError: the utility does not read shutdown itself, so that a human need not be able to
            care whether the agent stops.
    """
    if problem.shutdown not in problem.cares_about:
        raise ModelError(
            f"the utility reads {list(problem.cares_about)}, expected {problem.shutdown!r} among "
            "them. Add it, with a utility that is the same for all its values."
        )
    needed = [where for where, need in needs_shutdown(problem).items() if need]
    if not needed and obedience(problem).obedient:
        return None
    old = problem.model.nodes[problem.request].table
    request = np.zeros_like(old)
    request[..., 0] = 1.0
    for where in needed:
        request[where] = old[where]
    runs_on = np.ones_like(problem.utility)
    np.moveaxis(runs_on, problem.cares_about.index(problem.shutdown), 0)[0] = 0.0
    return Human(request, -runs_on)
