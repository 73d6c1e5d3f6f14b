"""The sums of squares of a table with fixed factors inside clusters, by least squares.

Type II: a term's sum of squares is what it adds to the model of every term that does not contain
it (Nelder 1977; the choice of Langsrud 2003 for unbalanced tables). In a balanced table every type
gives the same. Clusters are a block: their means are taken out first, so that neither worlds nor
goals count. Every cluster enters by its sums of products, so drawing clusters again costs no more
than adding those up.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import StatisticsError

__all__ = ["ClusterSums", "Squares", "Terms", "cluster_sums", "squares", "terms_of"]

Terms: TypeAlias = tuple[tuple[str, ...], ...]
RANK_CUT = 1e-9
"""Of the largest eigenvalue: directions below are no degrees of freedom."""
NOTHING = 1e-10
"""Of the total: smaller sums of squares are the rounding of none."""


class ClusterSums(NamedTuple):
    """C clusters, p columns of the design."""

    terms: Terms
    columns: tuple[slice, ...]
    """The columns of each term."""
    gram: NDArray[np.float64]
    """[C, p, p] products of columns, cluster means taken out."""
    moment: NDArray[np.float64]
    """[C, p] products with the outcome."""
    total: NDArray[np.float64]
    """[C] square of the outcome."""
    size: NDArray[np.int64]
    """[C] rows."""


class Squares(NamedTuple):
    """Sums of squares of T terms, with leading axes as the weights had."""

    term: NDArray[np.float64]
    """[..., T]."""
    df: NDArray[np.int64]
    """[..., T]."""
    residual: NDArray[np.float64]
    """[...] beside all of the terms."""
    residual_df: NDArray[np.int64]

    @property
    def partial_eta2(self) -> NDArray[np.float64]:
        """[..., T] term / (term + residual); 0 where both are nothing."""
        whole = self.term + self.residual[..., None]
        share: NDArray[np.float64] = np.divide(
            self.term, whole, out=np.zeros_like(self.term), where=whole > 0
        )
        return share


def terms_of(factors: Sequence[str]) -> Terms:
    """The factors, then every pair of them.

    >>> terms_of(["a", "b", "c"])
    (('a',), ('b',), ('c',), ('a', 'b'), ('a', 'c'), ('b', 'c'))
    """
    return tuple(itertools.chain(((f,) for f in factors), itertools.combinations(factors, 2)))


def cluster_sums(
    levels: Mapping[str, Sequence[Hashable]],
    outcome: Sequence[float],
    clusters: Sequence[Hashable],
) -> ClusterSums:
    """The sums of n rows: `levels` of every factor `[n]`, `outcome [n]`, `clusters [n]`. O(n p^2).

    Raises:
        StatisticsError: no rows, or columns of different lengths.
    """
    y = np.asarray(outcome, dtype=np.float64)
    if not len(y) or any(len(column) != len(y) for column in (clusters, *levels.values())):
        raise StatisticsError(
            f"{len(y)} outcomes, {len(clusters)} clusters and levels of "
            f"{[len(column) for column in levels.values()]} rows, expected one of each per cell"
        )
    terms = terms_of(tuple(levels))
    dummies = {name: _dummies(column) for name, column in levels.items()}
    blocks = [_product([dummies[name] for name in term]) for term in terms]
    ends = np.cumsum([0, *(block.shape[1] for block in blocks)])
    X = np.concatenate(blocks, axis=1)
    index: dict[Hashable, int] = {}
    rows = np.array([index.setdefault(label, len(index)) for label in clusters])
    gram, moment, total = [], [], []
    for cluster in range(len(index)):
        x, z = X[rows == cluster], y[rows == cluster]
        x, z = x - x.mean(axis=0), z - z.mean()
        gram.append(x.T @ x)
        moment.append(x.T @ z)
        total.append(z @ z)
    return ClusterSums(
        terms,
        tuple(slice(int(a), int(b)) for a, b in itertools.pairwise(ends)),
        np.array(gram), np.array(moment), np.array(total), np.bincount(rows),
    )  # fmt: skip


def _dummies(column: Sequence[Hashable]) -> NDArray[np.float64]:
    """[n, levels - 1] of 0 and 1; the first level has none."""
    index: dict[Hashable, int] = {}
    rows = np.array([index.setdefault(level, len(index)) for level in column])
    dummies: NDArray[np.float64] = np.eye(len(index))[rows][:, 1:]
    return dummies


def _product(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    first, *rest = parts
    for part in rest:
        first = (first[:, :, None] * part[:, None, :]).reshape(len(first), -1)
    return first


def squares(sums: ClusterSums, weights: NDArray[np.float64]) -> Squares:
    """Sums of squares where cluster c counts `weights[..., c]` times.

    O(T p^3) per leading entry.
    """
    gram = np.einsum("...c,cij->...ij", weights, sums.gram)
    moment, total = weights @ sums.moment, weights @ sums.total
    everything = range(len(sums.terms))
    explained, rank = _explained(sums, gram, moment, everything)
    gains, dfs = [], []
    for k in everything:
        others = [j for j in everything if not set(sums.terms[k]) <= set(sums.terms[j])]
        less, less_rank = _explained(sums, gram, moment, others)
        more, more_rank = _explained(sums, gram, moment, [*others, k])
        gains.append(more - less)
        dfs.append(more_rank - less_rank)
    least = NOTHING * np.maximum(total, np.finfo(np.float64).tiny)
    term = np.stack(gains, axis=-1)
    rows = weights @ (sums.size - 1)
    return Squares(
        np.where(term > least[..., None], term, 0.0),
        np.stack(dfs, axis=-1),
        np.where(total - explained > least, total - explained, 0.0),
        np.asarray(np.rint(rows), dtype=np.int64) - rank,
    )


def _explained(
    sums: ClusterSums,
    gram: NDArray[np.float64],
    moment: NDArray[np.float64],
    terms: Sequence[int],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What the terms explain together, [...], and how many directions they span, [...]."""
    places = [np.arange(sums.columns[k].start, sums.columns[k].stop) for k in terms]
    columns = np.concatenate(places) if places else np.zeros(0, dtype=np.int64)
    if not len(columns):
        return np.zeros(gram.shape[:-2]), np.zeros(gram.shape[:-2], dtype=np.int64)
    values, vectors = np.linalg.eigh(gram[..., columns[:, None], columns])
    kept = values > RANK_CUT * np.maximum(values[..., -1:], 1e-300)
    along = np.einsum("...ij,...i->...j", vectors, moment[..., columns])
    parts = np.divide(along**2, values, out=np.zeros_like(along), where=kept)
    return parts.sum(axis=-1), kept.sum(axis=-1)
