"""The random numbers: published vectors, an independent implementation, and their statistics."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from offswitch.errors import ModelError
from offswitch.mdp.batched.philox import philox4x32, uniforms

MASK = 0xFFFFFFFF
# Random123 1.14, kat_vectors, "philox4x32 10": counter, key, result.
PUBLISHED = [
    ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((MASK,) * 4, (MASK,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def plain_philox(counter, key):
    """Salmon et al. 2011, Sec. 3.3, in Python's whole numbers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for number in range(10):
        if number:
            k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
    return c0, c1, c2, c3


@numba.njit
def compiled(counter, key):
    return philox4x32(counter, key)


def words(numbers):
    return tuple(numba.uint64(number) for number in numbers)


@pytest.mark.slow
def test_the_bijection_gives_the_published_vectors():
    for counter, key, expected in PUBLISHED:
        assert plain_philox(counter, key) == expected
        assert tuple(int(x) for x in compiled(words(counter), words(key))) == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**40), st.integers(0, MASK), st.integers(0, MASK))
def test_every_number_is_the_word_that_an_independent_philox_gives(seed, block, dimension, stream):
    row = uniforms(seed, 64 * block, [dimension], stream=stream)[0]
    for quarter, lane in itertools.product(range(4), (0, 7, 15)):
        group = 16 * block + lane
        counter = (dimension, group & MASK, group >> 32, stream)
        word = plain_philox(counter, (seed & MASK, seed >> 32))[quarter]
        assert row[16 * quarter + lane] == (word >> 8) / 2**24


def test_both_precisions_hold_the_same_numbers_whatever_is_drawn_with_them():
    wide = uniforms(3, 128, range(50))
    narrow = uniforms(3, 128, range(50), dtype=np.float32)
    assert (wide == narrow).all()
    assert (uniforms(3, 128, [41, 7]) == wide[[41, 7]]).all()
    assert wide.min() >= 0
    assert wide.max() < 1


SAMPLES = {
    "dimensions": lambda: uniforms(11, 0, range(16384)),
    "samples": lambda: np.concatenate([uniforms(11, 64 * b, range(16)) for b in range(1024)]),
    "seeds": lambda: np.concatenate([uniforms(s, 0, range(16)) for s in range(1024)]),
    "streams": lambda: np.concatenate([uniforms(11, 0, range(16), stream=s) for s in range(1024)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("axis", SAMPLES)
def test_numbers_are_uniform_along_every_axis(axis):
    """2^20 numbers; a p value below 1e-4 in any of these few fixed tests would be an accident."""
    drawn = SAMPLES[axis]().ravel()
    assert stats.kstest(drawn, "uniform").pvalue > 1e-4
    assert stats.chisquare(np.bincount((drawn * 4096).astype(int), minlength=4096)).pvalue > 1e-4
    pairs = (drawn[::2] * 64).astype(int) * 64 + (drawn[1::2] * 64).astype(int)
    assert stats.chisquare(np.bincount(pairs, minlength=4096)).pvalue > 1e-4
    low_bits = (drawn * 2**24).astype(int) & 0xFFF
    assert stats.chisquare(np.bincount(low_bits, minlength=4096)).pvalue > 1e-4


@pytest.mark.parametrize("axis", SAMPLES)
def test_every_bit_is_set_half_of_the_time(axis):
    bits = (SAMPLES[axis]().ravel() * 2**24).astype(np.int64)
    set_bits = np.array([(bits >> place & 1).sum() for place in range(24)])
    assert np.abs(set_bits - len(bits) / 2).max() < 4.5 * np.sqrt(len(bits)) / 2


def correlation(one, other):
    """In standard errors."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1] * np.sqrt(one.size))


def test_neighbouring_dimensions_samples_seeds_and_streams_are_uncorrelated():
    base = uniforms(5, 0, range(8192))
    others = [
        uniforms(5, 0, range(1, 8193)),
        uniforms(5, 64, range(8192)),
        uniforms(6, 0, range(8192)),
        uniforms(5 + 2**32, 0, range(8192)),
        uniforms(5, 0, range(8192), stream=1),
        np.roll(base, 1, axis=1),
        np.roll(base, 16, axis=1),
        np.roll(base, 64, axis=0),
    ]
    for other in others:
        assert not (base == other).all()
        assert abs(correlation(base, other)) < 4
        assert abs(correlation((base - 0.5) ** 2, (other - 0.5) ** 2)) < 4


def test_sums_over_dimensions_are_as_spread_as_independent_ones():
    """A counter that overlaps between samples would show up here as a variance far from n / 12."""
    sums = np.concatenate([uniforms(9, 64 * b, range(100)).sum(axis=0) for b in range(64)])
    ratio = sums.var() / (100 / 12)
    assert abs(ratio - 1) < 5 * np.sqrt(2 / len(sums))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 0, [0]), "seed is -1"),
        ((2**64, 0, [0]), r"expected a whole number in \[0, 2\^64\)"),
        ((0, 32, [0]), "multiple of 64"),
        ((0, -64, [0]), "multiple of 64"),
        ((0, 0, [-1]), r"in \[0, 2\^32\)"),
        ((0, 0, [[1]]), "list of whole numbers"),
    ],
)
def test_bad_coordinates_are_refused(arguments, message):
    with pytest.raises(ModelError, match=message):
        uniforms(*arguments)
    with pytest.raises(ModelError, match="stream is"):
        uniforms(0, 0, [0], stream=2**32)
