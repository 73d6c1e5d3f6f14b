"""Ed25519 signatures over the head of a ledger, at record numbers known in advance.

A signature is due at every multiple of `sign_every` and at the end. Their places being fixed, one
that was dropped is missed. The private key lives in the supervisor's memory for one run only, so
that nobody can sign a rewritten ledger afterwards.
"""

from __future__ import annotations

import functools

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from offswitch.errors import LedgerError

__all__ = ["Signer", "signature_holds"]


class Signer:
    """Signs heads of one ledger."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()

    @property
    def public_key(self) -> str:
        """64 hex digits; keep them outside the agent's reach."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, number: int, head: str) -> str:
        """The signature that record `number - 1` has digest `head`, as 128 hex digits."""
        return self._key.sign(_message(number, head)).hex()


def signature_holds(public_key: str, number: int, head: str, signature: str) -> bool:
    """Whether the holder of the key signed that the record before `number` has digest `head`.

    Raises:
        LedgerError: the public key is not 64 hex digits.
    """
    key = _key_of(public_key)
    try:
        key.verify(bytes.fromhex(signature), _message(number, head))
    except (InvalidSignature, ValueError):
        return False
    return True


@functools.lru_cache(maxsize=4)
def _key_of(public_key: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    except ValueError as problem:
        raise LedgerError(
            f"got public key {public_key!r}, expected 64 hex digits as in the anchor's first line."
        ) from problem


def _message(number: int, head: str) -> bytes:
    return b"offswitch-ledger-1 %d %s" % (number, head.encode())
