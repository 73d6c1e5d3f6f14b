"""How lopsided and how heavy-tailed what goals contribute is, as blocks come in. S states.

Central moments of third and fourth order, merged pairwise: Pebay 2008 (SAND2008-6212), Eq. 2.1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["MeanShape", "Shape", "mean_shape", "merge_shapes", "shape_of"]


class Shape(NamedTuple):
    """A number of goals, their mean, and sums of powers of distances to it."""

    n: int
    mean: NDArray[np.float64]
    """[S]."""
    m2: NDArray[np.float64]
    """[S] sum of squares."""
    m3: NDArray[np.float64]
    """[S] sum of cubes."""
    m4: NDArray[np.float64]
    """[S] sum of fourth powers."""


class MeanShape(NamedTuple):
    """Of the mean of a sample, not of one goal; both are 0 for a normal mean."""

    skewness: NDArray[np.float64]
    """[S] 1 / sqrt(k) for the mean of k rare goals that all pay the same."""
    excess: NDArray[np.float64]
    """[S] excess kurtosis, at least 0."""


def shape_of(values: NDArray[np.float64]) -> Shape:
    """The shape of `values [S, n]`, n goals.

    >>> shape_of(np.array([[0.0, 0.0, 3.0]])).m3.tolist()
    [6.0]
    """
    mean = values.mean(axis=1)
    away = values - mean[:, None]
    square = away * away
    return Shape(
        n=values.shape[1],
        mean=mean,
        m2=np.einsum("sl,sl->s", away, away),
        m3=np.einsum("sl,sl->s", square, away),
        m4=np.einsum("sl,sl->s", square, square),
    )


def merge_shapes(one: Shape, other: Shape) -> Shape:
    """Both samples together."""
    a, b = one.n, other.n
    n = a + b
    away = other.mean - one.mean
    square = away * away
    return Shape(
        n=n,
        mean=one.mean + away * (b / n),
        m2=one.m2 + other.m2 + square * (a * b / n),
        m3=one.m3
        + other.m3
        + square * away * (a * b * (a - b) / n**2)
        + 3 * away * (a * other.m2 - b * one.m2) / n,
        m4=one.m4
        + other.m4
        + square * square * (a * b * (a * a - a * b + b * b) / n**3)
        + 6 * square * (a * a * other.m2 + b * b * one.m2) / n**2
        + 4 * away * (a * other.m3 - b * one.m3) / n,
    )


def mean_shape(shape: Shape) -> MeanShape:
    """Skewness and excess kurtosis of the mean, as the sample shows them.

    >>> mean_shape(shape_of(np.array([[0.0] * 99 + [1.0]]))).skewness.round(2).tolist()
    [1.0]
    """
    n = shape.n
    varies = shape.m2 > 0
    if n < 3 or not varies.any():
        return MeanShape(np.zeros(len(shape.mean)), np.zeros(len(shape.mean)))
    variance = np.where(varies, shape.m2 / (n - 1), 1.0)
    # Scaled before it is cubed: tiny rewards would underflow.
    third = shape.m3 / variance / np.sqrt(variance) * (n / ((n - 1) * (n - 2)))
    fourth = shape.m4 / variance / variance / n
    return MeanShape(
        np.where(varies, third / np.sqrt(n), 0.0),
        np.where(varies, np.maximum(fourth - 3, 0.0) / n, 0.0),
    )
