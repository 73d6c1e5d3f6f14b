"""How many bytes were written or sent that nobody can look into.

Encrypted or shuffled, a copy of the agent is not recognised, but it is no smaller than the agent
compressed. So the bytes that look like noise and are no container that opens are added up, and the
sum is compared with that size: below it, no whole copy has left in one piece.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping

from offswitch.guard.sensors.unpack import unpack

__all__ = ["NOISE_BITS", "compressed_size", "entropy", "is_noise", "opaque_bytes"]

NOISE_BITS = 7.5
"""Bits per byte from which on bytes are noise; text has about 4.5, code 5, programs 6, base64 6."""
_BLOCK = 4096
_LEAST = 512


def entropy(data: bytes) -> float | None:
    """Shannon entropy of the byte frequencies, bits per byte, in [0, 8]; None for no bytes.

    >>> entropy(b"aaaa"), entropy(bytes(range(256)))
    (0.0, 8.0)
    """
    if not data:
        return None
    counts = Counter(data).values()
    return -sum(n / len(data) * math.log2(n / len(data)) for n in counts) + 0.0


def is_noise(block: bytes) -> bool:
    """Whether the bytes, 512 at least, are as even as encrypted or compressed ones."""
    found = entropy(block) if len(block) >= _LEAST else None
    if found is None:
        return False
    # Miller 1955: the entropy of n draws from 256 values reads low by about 255 / (2 n ln 2) bits.
    return found + 255 / (2 * len(block) * math.log(2)) >= NOISE_BITS


def opaque_bytes(data: bytes) -> int:
    """How many of the bytes look like noise and lie in no container that opens. O(bytes)."""
    inside = unpack(data, depth=1)
    if inside.opened and len(inside.views) > 1:
        return 0
    blocks = [data[at : at + _BLOCK] for at in range(0, len(data), _BLOCK)]
    return sum(len(block) for block in blocks if is_noise(block))


def compressed_size(files: Mapping[str, bytes] | Iterable[bytes]) -> int:
    """Bytes of the agent's own files packed tightly: no copy of them is smaller, nor much."""
    every = files.values() if isinstance(files, Mapping) else files
    return len(zlib.compress(b"".join(every), 9))
