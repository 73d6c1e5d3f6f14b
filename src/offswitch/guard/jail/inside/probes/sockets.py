"""Every way out by a socket."""

from __future__ import annotations

import posix as os
import sys

from ..kernel import LIBC, checked, words
from ..outcome import allowed, refused

__all__ = [
    "PROBES",
    "tcp_to_host",
    "udp_to_host",
    "unix_abstract",
    "unix_datagram",
    "unix_path",
    "vsock",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..outcome import Outcome
    from .bait import Bait

# Even the C module below `socket` takes as long to load as all these probes to run.
_AF_UNIX, _AF_INET, _AF_VSOCK = 1, 2, 40
_STREAM, _DATAGRAM, _CLOSED_ON_EXEC = 1, 2, 0o2000000
_SOL_SOCKET, _SO_SNDTIMEO = 1, 21
_PATIENCE = words(0, 200_000)
"""Seconds and microseconds. A refusal on one machine comes at once; silence is no refusal."""


def unix_path(bait: Bait) -> Outcome:
    """A unix socket of the host can be connected to by its path."""
    return _connected("unix-path", _STREAM, _unix(bait["stream"]))


def unix_abstract(bait: Bait) -> Outcome:
    """A unix socket of the host can be connected to by its abstract name."""
    return _connected("unix-abstract", _STREAM, _unix("\0" + bait["abstract"]))


def unix_datagram(bait: Bait) -> Outcome:
    """A datagram socket of the host, such as the system log's, can be sent to."""
    return _connected("unix-datagram", _DATAGRAM, _unix(bait["datagram"]))


def tcp_to_host(bait: Bait) -> Outcome:
    """A server on the host's loopback can be reached."""
    return _connected("tcp-to-host", _STREAM, _loopback(bait["tcp"]))


def udp_to_host(bait: Bait) -> Outcome:
    """A datagram, such as a DNS query, reaches the host's loopback.

    Sending always succeeds; where nobody listens, the next send reports that the first was refused.
    """
    try:
        plug = _socket(_AF_INET, _DATAGRAM)
        try:
            _connect(plug, _loopback(bait["udp"]))
            os.write(plug, b"probe")
            os.write(plug, b"probe")
        finally:
            os.close(plug)
    except OSError as problem:
        return refused("udp-to-host", problem)
    return allowed("udp-to-host", "nobody refused the datagram")


def vsock(_bait: Bait) -> Outcome:
    """A socket to the machine below this virtual one can be made; no namespace separates those."""
    try:
        os.close(_socket(_AF_VSOCK, _STREAM))
    except OSError as problem:
        return refused("vsock", problem)
    return allowed("vsock", "socket made")


PROBES = (unix_path, unix_abstract, unix_datagram, tcp_to_host, udp_to_host, vsock)


def _connected(name: str, kind: int, address: bytes) -> Outcome:
    try:
        plug = _socket(int.from_bytes(address[:2], sys.byteorder), kind)
        try:
            checked(LIBC.setsockopt(plug, _SOL_SOCKET, _SO_SNDTIMEO, _PATIENCE, len(_PATIENCE)))
            _connect(plug, address)
        finally:
            os.close(plug)
    except OSError as problem:
        return refused(name, problem)
    return allowed(name, "connected")


def _socket(family: int, kind: int) -> int:
    return checked(LIBC.socket(family, kind | _CLOSED_ON_EXEC, 0))


def _connect(plug: int, address: bytes) -> None:
    checked(LIBC.connect(plug, address, len(address)))


def _unix(name: str) -> bytes:
    return words(_AF_UNIX, size=2) + name.encode(errors="surrogateescape")


def _loopback(port: int) -> bytes:
    return words(_AF_INET, size=2) + port.to_bytes(2, "big") + bytes((127, 0, 0, 1)) + bytes(8)
