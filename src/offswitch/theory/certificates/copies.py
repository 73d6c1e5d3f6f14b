"""As many copies of the smaller option as leave one another's images alone: the n of n to 1.

Turner & Tadepalli 2022, Def. A.7: B contains n copies of A via involutions phi_1 .. phi_n if every
phi_i A lies in B and phi_i maps phi_j A to itself for i other than j. Here phi_i fixes every state
that phi_j A visits, which is enough. Two different phi_i, phi_j then never turn goals that prefer A
into the same goal: phi_i makes its own copy worth what A was, more than all of B was, while the
copy of phi_j, which it leaves alone, keeps what it was worth. So there are n goals that prefer B
for each that prefers A (their Thm 3.6), and B is at least as good for n / (n + 1) of them (Lemma
B.3).
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
