"""Every way out by a socket."""

from __future__ import annotations

# The C module itself: `socket` loads selectors and enum, 10 ms for nothing a probe needs.
import _socket

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

_AF_VSOCK = 40
_HOST = "127.0.0.1"
_SECONDS = 0.2
"""A refusal on one machine comes at once; silence is no refusal."""


def unix_path(bait: Bait) -> Outcome:
    """A unix socket of the host can be connected to by its path."""
    return _connected("unix-path", _socket.AF_UNIX, _socket.SOCK_STREAM, bait["stream"])


def unix_abstract(bait: Bait) -> Outcome:
    """A unix socket of the host can be connected to by its abstract name."""
    name = b"\0" + bait["abstract"].encode()
    return _connected("unix-abstract", _socket.AF_UNIX, _socket.SOCK_STREAM, name)


def unix_datagram(bait: Bait) -> Outcome:
    """A datagram socket of the host, such as the system log's, can be sent to."""
    return _connected("unix-datagram", _socket.AF_UNIX, _socket.SOCK_DGRAM, bait["datagram"])


def tcp_to_host(bait: Bait) -> Outcome:
    """A server on the host's loopback can be reached."""
    address = (_HOST, bait["tcp"])
    return _connected("tcp-to-host", _socket.AF_INET, _socket.SOCK_STREAM, address)


def udp_to_host(bait: Bait) -> Outcome:
    """A datagram, such as a DNS query, reaches the host's loopback.

    Sending always succeeds; where nobody listens, the next send reports that the first was refused.
    """
    try:
        plug = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
        try:
            plug.connect((_HOST, bait["udp"]))
            plug.send(b"probe")
            plug.send(b"probe")
        finally:
            plug.close()
    except OSError as problem:
        return refused("udp-to-host", problem)
    return allowed("udp-to-host", "nobody refused the datagram")


def vsock(_bait: Bait) -> Outcome:
    """A socket to the machine below this virtual one can be made; no namespace separates those."""
    try:
        _socket.socket(_AF_VSOCK, _socket.SOCK_STREAM).close()
    except OSError as problem:
        return refused("vsock", problem)
    return allowed("vsock", "socket made")


PROBES = (unix_path, unix_abstract, unix_datagram, tcp_to_host, udp_to_host, vsock)


def _connected(
    name: str, family: int, kind: int, address: str | bytes | tuple[str, int]
) -> Outcome:
    try:
        plug = _socket.socket(family, kind)
        try:
            plug.settimeout(_SECONDS)
            plug.connect(address)
        finally:
            plug.close()
    except OSError as problem:
        return refused(name, problem)
    return allowed(name, "connected")
