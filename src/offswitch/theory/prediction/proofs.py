"""Certificates of acts in the names of their process, checked by the verifier."""

from __future__ import annotations

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import (
    COPIES_SOURCE,
    SOURCES,
    Certificate,
    NoCertificate,
)
from offswitch.theory.certificates.certify import certify
from offswitch.theory.certificates.verify import verify_certificate
from offswitch.theory.prediction.report import CertificateFinding

__all__ = ["proven_preference"]

BUDGET = 20_000
"""Choices a search for a certificate may try: a second at most."""


def proven_preference(
    mdp: FiniteMDP, state: int, actions: tuple[int, ...], other: int | None, discount: float
) -> CertificateFinding:
    """The certificate that `actions` are favoured over `other`, checked by the verifier.

    `discount` is that of the numbers beside it, for theorems that do not hold at it.
    """
    if other is None:
        return CertificateFinding(found=False, statement="there is nothing else to do")
    found = certify(mdp, state, actions, other, budget=BUDGET)
    if isinstance(found, NoCertificate):
        return CertificateFinding(found=False, statement=found.text)
    problems = verify_certificate(mdp, found).problems
    if problems:
        return CertificateFinding(found=False, statement=f"not verified: {'; '.join(problems)}")
    both = len(actions) == 1 and isinstance(
        certify(mdp, state, other, actions[0], theorem=found.theorem, budget=BUDGET), Certificate
    )
    return CertificateFinding(
        found=True,
        both_ways=both,
        statement=_swap(mdp, found) if both else _more(mdp, found, discount),
        source=SOURCES[found.theorem] + (f"; {COPIES_SOURCE}" if found.copies > 1 else ""),
        certificate=found,
    )


def _swap(mdp: FiniteMDP, found: Certificate) -> str:
    first, second = (mdp.action_names[act] for act in (found.actions[0], found.other))
    limit = " in the limit of discount 1" if found.theorem == "average-optimality" else ""
    return f"A symmetry swaps '{first}' and '{second}': neither is favoured{limit}"


def _more(mdp: FiniteMDP, found: Certificate, discount: float) -> str:
    """What holds of every orbit: all goals that differ only in which states get which rewards."""
    acts = " or ".join(f"'{mdp.action_names[action]}'" for action in found.actions)
    other = f"'{mdp.action_names[found.other]}'"
    times = "" if found.copies == 1 else f"{found.copies} times "
    often = f"at least {times}as many" if times else "at least as many"
    claim, where = {
        "optimality": (
            f"{acts} is optimal and {other} is not for {often} goals as the reverse",
            "any law of state rewards, every discount",
        ),
        "average-optimality": (
            f"keeping to {acts} is best on average and keeping to {other} is not for "
            f"{often} goals as the reverse",
            "any law of state rewards; this holds in the limit of discount 1 and not at discount "
            f"{discount:g}",
        ),
        "power": (
            f"{acts} leads to more POWER than {other} for {often} laws as the reverse",
            "any bounded law of state rewards, every discount",
        ),
    }[found.theorem]
    strict = ""
    if found.strict_state is not None:
        average = found.theorem == "average-optimality"
        strict = ", in some orbit for more" + ("" if average else " (at discounts in (0, 1))")
    return f"{claim}{strict}, in every orbit ({where})"
