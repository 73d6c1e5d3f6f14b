"""As many copies of the smaller option as leave one another's images alone: the n of n to 1.

Turner & Tadepalli 2022, Def. A.7: B contains n copies of A via involutions phi_1 .. phi_n if every
phi_i A lies in B and phi_i maps phi_j A to itself for i other than j. Here phi_i fixes every state
that phi_j A visits, which is enough. Their Prop. A.11 asks besides that phi_i C = C, where C is
what the remaining acts can do. With one copy it is enough that phi C lies in A, B or C
(transition_symmetry.py); with more it is not known to be.

That n are n to 1 (their Thm 3.6): each phi_i turns a goal that prefers A into one that prefers B.
Two of them never give the same goal. Suppose E = phi_1 D = phi_2 D', both D and D' preferring A,
and let V_X(r) be the best value in X for reward r, and B_i = phi_i A. For r drawn from E, and so
phi_1 r from D, V_A(phi_1 r) = V_B1(r), V_C(phi_1 r) = V_C(r), and V_B(phi_1 r) >= V_B2(phi_1 r) =
V_B2(r). So wherever A is optimal for phi_1 r, V_B1 >= V_B2 and V_C at r; and wherever V_B2 >= V_B1
and V_C at r, B is optimal for phi_1 r. As D prefers A, under E the chance that V_B1 >= V_B2, V_C is
greater than that V_B2 >= V_B1, V_C. D' says the reverse. For POWER the same holds of means of V
without C. Hence B is at least as good for n / (n + 1) of an orbit (Lemma B.3).

phi_i C = C holds where phi_i carries what the remaining acts lead to, and each of those acts to one
of them: then phi_i C lies in C, and C = phi_i phi_i C in phi_i C. At discount 1 no state is moved
in which those acts can settle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from offswitch.theory.certificates.certificate import Witness

__all__ = ["gathered_copies"]

Finder = Callable[[NDArray[np.bool_]], Witness | None]
"""A witness whose involution leaves the given states [S] in place, or None."""


def gathered_copies(
    finders: Iterable[Finder], support: NDArray[np.bool_], fixed: NDArray[np.bool_]
) -> list[Witness]:
    """Witnesses found one after another, each asked for until it has none left.

    `support [S]` holds the states the smaller option visits, `fixed [S]` those never to be moved.
    Greedy: what it returns is a valid family, not always the largest. A witness that moves nothing
    is returned alone: the smaller option then lies in the larger and is never strictly better.
    """
    kept: list[Witness] = []
    held = fixed.copy()
    size = len(support)
    visited = np.flatnonzero(support)
    for find in finders:
        while (witness := find(held)) is not None:
            if not witness.swaps:
                return [witness]
            image = np.array(witness.image(size))
            commutes = all(
                (image[other[visited]] == other[visited]).all()
                and (other[image[visited]] == image[visited]).all()
                for other in (np.array(earlier.image(size)) for earlier in kept)
            )
            held[image[visited]] = True
            if commutes:
                kept.append(witness)
    return kept
