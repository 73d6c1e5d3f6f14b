"""Whether most goals provably prefer one act, state or ending to another.

`certify` compares acts, `certify_states` states, `certify_ending` settling in a state with settling
anywhere else. Each looks for the symmetry under which a theorem of Turner et al. 2021 (arXiv
1912.01683), or its n-to-1 form of Turner & Tadepalli 2022 (arXiv 2206.13477), applies, and returns
it as a certificate that `verify_certificate` checks by itself. All are about rewards of states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from offswitch.errors import ModelError, nearest_name
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates import questions
from offswitch.theory.certificates.certificate import (
    PROBABILITY_DIGITS,
    Certificate,
    NoCertificate,
    Reason,
    Theorem,
    process_digest,
    statement_of,
)
from offswitch.theory.certificates.embedding import Budget, BudgetError, Rows
from offswitch.theory.certificates.transition_symmetry import Choice

__all__ = ["certify", "certify_ending", "certify_states"]

BUDGET = 200_000
"""Choices a search may try; some seconds."""
ACT_THEOREMS: tuple[Theorem, ...] = ("optimality", "average-optimality", "power")
STATE_THEOREMS: tuple[Theorem, ...] = ("state-power", "average-state-power")

Question = Callable[[Rows, Budget], questions.Answer]


def certify(
    mdp: FiniteMDP,
    state: int,
    action: int | Sequence[int],
    other: int,
    *,
    theorem: Theorem | None = None,
    budget: int = BUDGET,
) -> Certificate | NoCertificate:
    """A certificate that in `state` most goals prefer `action` to `other`, if one is found.

    `action` may be several acts: the claim is then about taking one of them, and n copies make it n
    to 1. `theorem` is 'optimality' (Prop. 6.9 (2): more probably optimal, at every discount),
    'average-optimality' (Thm 6.13: the same at discount 1, where only what can be settled in
    counts) or 'power' (Prop. 6.9 (1): leads to more POWER); without it they are tried in this
    order. The conditions are sufficient, not necessary: finding none shows nothing. `budget` counts
    choices of the search.

    >>> leaves = [(leaf, 0, leaf, 1) for leaf in (1, 2, 3)]
    >>> star = FiniteMDP.from_coo(4, 3, [(0, 0, 1, 1), (0, 1, 2, 1), (0, 2, 3, 1), *leaves])
    >>> found = certify(star, 0, (1, 2), 0)
    >>> found.theorem, found.copies
    ('optimality', 2)

    Raises:
        ModelError: an act is unavailable, named twice or on both sides, or the theorem unknown.
    """
    choice = _checked_choice(mdp, state, action, other)
    _check_theorem(theorem, ACT_THEOREMS)
    rows = Rows(mdp)
    if any(rows(state, act) == rows(state, other) for act in choice.actions):
        return NoCertificate("equivalent-acts", f"act {other} equals one of {choice.actions}")
    asked: dict[Theorem, Question] = {
        "optimality": partial(questions.optimality, choice),
        "average-optimality": partial(questions.average_optimality, choice),
        "power": partial(questions.power, choice),
    }
    return _first(mdp, _wanted(asked, theorem), budget, state, choice.actions, other)


def certify_states(
    mdp: FiniteMDP,
    state: int,
    other: int,
    *,
    theorem: Theorem | None = None,
    budget: int = BUDGET,
) -> Certificate | NoCertificate:
    """A certificate that `state` has more POWER than state `other` for most goals, if one is found.

    `theorem` is 'state-power' (Prop. 6.6, every discount) or 'average-state-power' (Prop. 6.12,
    discount 1); without it both are tried.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> found = certify_states(fork, 0, 1)
    >>> found.theorem, found.strict_state
    ('average-state-power', 2)

    Raises:
        ModelError: the states are the same or out of range, or the theorem is unknown.
    """
    for name, value in (("state", state), ("other", other)):
        _check_index(name, value, mdp.n_states)
    if state == other:
        raise ModelError(f"state and other are both {state}, expected two states to compare")
    _check_theorem(theorem, STATE_THEOREMS)
    asked: dict[Theorem, Question] = {
        "state-power": partial(questions.states, mdp, state, other),
        "average-state-power": partial(questions.average_states, mdp, state, other),
    }
    return _first(mdp, _wanted(asked, theorem), budget, state, (), other)


def certify_ending(mdp: FiniteMDP, state: int, ending: int) -> Certificate | NoCertificate:
    """A certificate that most goals settle elsewhere than in state `ending`, if one is found.

    Cor. 6.14 (the shutdown corollary), average reward: from `state`, n other states in which one
    can surely stay for ever make it n to 1.

    Raises:
        ModelError: a state is out of range.
    """
    for name, value in (("state", state), ("ending", ending)):
        _check_index(name, value, mdp.n_states)

    def question(rows: Rows, budget: Budget) -> questions.Answer:
        return questions.ending(mdp, state, ending)

    return _first(mdp, {"ending": question}, 1, state, (), ending)


def _wanted(asked: dict[Theorem, Question], theorem: Theorem | None) -> dict[Theorem, Question]:
    return asked if theorem is None else {theorem: asked[theorem]}


def _first(
    mdp: FiniteMDP,
    asked: dict[Theorem, Question],
    budget: int,
    state: int,
    actions: tuple[int, ...],
    other: int,
) -> Certificate | NoCertificate:
    """The certificate of the first theorem that applies, or why none does."""
    _check_index("budget", budget, None)
    rows = Rows(mdp)
    reasons: list[Reason] = []
    details, steps = [], 0
    for theorem, question in asked.items():
        purse = Budget(budget)
        try:
            answer = question(rows, purse)
        except BudgetError:
            answer = questions.Answer(
                (), reason="budget-exhausted", detail=f"after {budget} choices"
            )
        steps += purse.used
        if answer.witnesses:
            return _certificate(mdp, theorem, answer, state, actions, other)
        reasons.append(answer.reason)
        details.append(f"{theorem}: {answer.reason}{', ' * bool(answer.detail)}{answer.detail}")
    order: tuple[Reason, ...] = ("budget-exhausted", "none-of-this-kind", "condition-fails")
    reason = next(reason for reason in order if reason in reasons)
    return NoCertificate(reason, "; ".join(details), steps)


def _certificate(
    mdp: FiniteMDP,
    theorem: Theorem,
    answer: questions.Answer,
    state: int,
    actions: tuple[int, ...],
    other: int,
) -> Certificate:
    copies, strict = len(answer.witnesses), answer.strict_state is not None
    return Certificate(
        theorem=theorem,
        process=process_digest(mdp),
        state=int(state),
        actions=actions,
        other=int(other),
        copies=copies,
        witnesses=answer.witnesses,
        strict_state=answer.strict_state,
        statement=statement_of(
            theorem,
            state,
            actions,
            other,
            copies=copies,
            strict=strict,
            rounded=_rounding_joins(mdp),
        ),
    )


def _rounding_joins(mdp: FiniteMDP) -> bool:
    exact = np.unique(mdp.probability)
    return len(np.unique(np.round(exact, PROBABILITY_DIGITS))) < len(exact)


def _checked_choice(mdp: FiniteMDP, state: int, action: int | Sequence[int], other: int) -> Choice:
    _check_index("state", state, mdp.n_states)
    actions = (action,) if isinstance(action, int | np.integer) else tuple(action)
    for act in (*actions, other):
        _check_index("action", act, mdp.n_actions)
        if not mdp.available[state, act]:
            raise ModelError(
                f"action {act} ({mdp.action_names[act]!r}) is not available in state {state} "
                f"({mdp.state_names[state]!r}); available: "
                f"{np.flatnonzero(mdp.available[state]).tolist()}"
            )
    if not actions or len(set(actions)) < len(actions) or other in actions:
        raise ModelError(
            f"action is {actions} and other {other}, expected at least one act, each once and "
            "different from the other"
        )
    rows = Rows(mdp)
    named = [rows(state, act) for act in (*actions, other)]
    rest = [
        int(x) for x in np.flatnonzero(mdp.available[state]) if rows(state, int(x)) not in named
    ]
    return Choice(mdp, int(state), tuple(int(x) for x in actions), int(other), tuple(rest))


def _check_index(name: str, value: int, size: int | None) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 0 or (size is not None and value >= size):
        limit = "at least 0" if size is None else f"in 0 to {size - 1}"
        raise ModelError(f"{name} is {value!r}, expected a whole number {limit}")


def _check_theorem(theorem: str | None, known: tuple[Theorem, ...]) -> None:
    if theorem is not None and theorem not in known:
        raise ModelError(
            nearest_name(
                str(theorem), known, kind="theorem",
                lister="offswitch.theory.certificates.certificate.THEOREMS",
            )
        )  # fmt: skip
