"""What a search for a theorem's conditions returns, in words and as JSON.

"Most" is Turner et al. 2021, Def. 6.5: over the orbit of any distribution of state rewards, that is
over all ways of permuting which states get which rewards. "n to 1" is Turner & Tadepalli 2022, Def.
3.2. A certificate is about rewards of states; it says nothing of rewards that depend on acts.
"""

from __future__ import annotations

import hashlib
from typing import Literal, get_args

import msgspec

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP

__all__ = [
    "DISCOUNTS",
    "PROBABILITY_DIGITS",
    "SOURCES",
    "THEOREMS",
    "Certificate",
    "NoCertificate",
    "Reason",
    "Theorem",
    "Witness",
    "certificate_from_json",
    "certificate_to_json",
    "process_digest",
    "statement_of",
]

Theorem = Literal[
    "optimality", "power", "average-optimality", "state-power", "average-state-power", "ending"
]
THEOREMS: tuple[Theorem, ...] = get_args(Theorem)
SOURCES: dict[Theorem, str] = {
    "optimality": "Turner et al. 2021, Prop. 6.9 (2)",
    "power": "Turner et al. 2021, Prop. 6.9 (1)",
    "average-optimality": "Turner et al. 2021, Thm 6.13",
    "state-power": "Turner et al. 2021, Prop. 6.6",
    "average-state-power": "Turner et al. 2021, Prop. 6.12",
    "ending": "Turner et al. 2021, Cor. 6.14",
}
COPIES_SOURCE = "Turner & Tadepalli 2022, Thm 3.6 with Def. A.7"
DISCOUNTS: dict[Theorem, str] = {
    "optimality": "every discount in [0, 1]",
    "power": "every discount in [0, 1]",
    "average-optimality": "average reward (discount 1)",
    "state-power": "every discount in [0, 1]",
    "average-state-power": "average reward (discount 1)",
    "ending": "average reward (discount 1)",
}
PROBABILITY_DIGITS = 12
"""Probabilities that agree to so many decimals count as equal: rows need only sum to 1 within 1e-9.
What is certified holds of the process so rounded."""
Reason = Literal["none-of-this-kind", "budget-exhausted", "condition-fails", "equivalent-acts"]


class Witness(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One copy of the smaller option inside the larger: an involution and what acts become."""

    action: int | None
    """The larger option's act in which this copy lies; None where no act is compared."""
    swaps: tuple[tuple[int, int], ...]
    """The involution phi: pairs of states that trade places; all others stay."""
    relabelled: tuple[tuple[int, int, int], ...]
    """(x, b, c): act b of state x becomes act c of state phi(x); acts not listed keep their number
    wherever that is their image."""

    def image(self, n_states: int) -> list[int]:
        """[S] phi as a table. Pairs that overlap or lie outside do not make one: verify first."""
        table = list(range(n_states))
        for first, second in self.swaps:
            table[first], table[second] = second, first
        return table


class Certificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A theorem's conclusion about one process, with all that is needed to check its conditions."""

    theorem: Theorem
    process: str
    """`process_digest` of the process it is about, 64 hex digits."""
    state: int
    """Where the agent chooses; for states compared, the state with more options."""
    actions: tuple[int, ...]
    """The acts shown to be preferred; empty where states or endings are compared."""
    other: int
    """The act, state or ending that they are preferred to."""
    copies: int
    """n of the n to 1, at least 1: how many witnesses there are. More may exist."""
    witnesses: tuple[Witness, ...]
    strict_state: int | None
    """A state only the preferred option reaches: paying it alone breaks the balance in favour of
    that option, so the reverse claim fails; where the theorem is about every discount, at those in
    (0, 1). None: not shown."""
    statement: str
    """`statement_of` this certificate: what it shows, in words."""


class NoCertificate(msgspec.Struct, frozen=True):
    """No certificate was found. That is no evidence about what most goals prefer."""

    reason: Reason
    detail: str
    """What was tried, per theorem."""
    steps: int = 0
    """Choices tried by the search."""

    @property
    def text(self) -> str:
        """The reason in a sentence."""
        words = {
            "none-of-this-kind": "searched completely, and no symmetry of this kind exists",
            "budget-exhausted": "the search ran out of budget before it was complete",
            "condition-fails": "a condition of the theorem fails before any search",
            "equivalent-acts": "the two options lead to the same successors",
        }
        return (
            f"no certificate: {words[self.reason]} ({self.detail}). Most goals may still prefer "
            "either option: only the theorem does not say which."
        )


def statement_of(
    theorem: Theorem,
    state: int,
    actions: tuple[int, ...],
    other: int,
    *,
    copies: int,
    strict: bool,
    rounded: bool,
) -> str:
    """The conclusion of `theorem` in words, with its source and the discounts it holds for.

    `rounded`: the process has probabilities that differ by less than what is compared.
    """
    acts = " or ".join(f"act {action}" for action in actions)
    subject = {
        "optimality": f"{acts} in state {state} is optimal with greater probability than act "
        f"{other}",
        "power": f"{acts} in state {state} leads to more expected POWER than act {other}",
        "average-optimality": f"keeping to {acts} in state {state} is average-optimal with "
        f"greater probability than keeping to act {other}",
        "state-power": f"state {state} has more POWER than state {other}",
        "average-state-power": f"state {state} has more POWER than state {other}",
        "ending": f"from state {state}, settling elsewhere than in state {other} is "
        "average-optimal with greater probability than settling in it",
    }[theorem]
    bounded = "bounded " if "power" in theorem else ""
    often = (
        "at least as often as the reverse" if copies == 1
        else f"at least {copies} times as often as the reverse"
    )  # fmt: skip
    between = "" if "average" in DISCOUNTS[theorem] else ", at discounts in (0, 1),"
    more = f" For some distributions{between} it is more often than that." if strict else ""
    of = (
        f" of the process with probabilities rounded to {PROBABILITY_DIGITS} digits"
        if rounded
        else ""
    )
    source = SOURCES[theorem] + (f"; {COPIES_SOURCE}" if copies > 1 else "")
    return (
        f"Over the permutations of any {bounded}distribution of state rewards{of}, {subject} "
        f"{often}; for at least {copies}/{copies + 1} of them it is not less. Holds for "
        f"{DISCOUNTS[theorem]}.{more} {source}."
    )


def process_digest(mdp: FiniteMDP) -> str:
    """SHA-256 of the transitions of `mdp`, 64 hex digits; names and start do not enter.

    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> process_digest(loop)[:12]
    '384c61b842c0'
    """
    digest = hashlib.sha256(f"offswitch-process-1 {mdp.n_states} {mdp.n_actions}\n".encode())
    for array in (mdp.row_start, mdp.next_state):
        digest.update(array.astype("<i8").tobytes())
    digest.update(mdp.probability.astype("<f8").tobytes())
    return digest.hexdigest()


def certificate_to_json(certificate: Certificate) -> str:
    """The certificate as one line of JSON."""
    return msgspec.json.encode(certificate).decode()


def certificate_from_json(text: str | bytes) -> Certificate:
    """The certificate that `certificate_to_json` wrote. Reading it does not verify it.

    Raises:
        ModelError: the text is no certificate.
    """
    try:
        return msgspec.json.decode(text, type=Certificate)
    except msgspec.DecodeError as error:
        raise ModelError(
            f"the text is no certificate: {error}. Expected what certificate_to_json writes."
        ) from error
