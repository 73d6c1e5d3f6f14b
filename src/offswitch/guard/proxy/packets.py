"""Whole JSON messages between the proxy and the supervisor, which no act can wait long for.

As `stop.wire`, whose messages the watchdog reads with the standard library alone; msgspec takes a
fifth of that time. Descriptors are not taken: the kernel closes any that are sent along.
"""

from __future__ import annotations

import socket
from typing import Any  # Any: values of a JSON object

import msgspec

from offswitch.guard.stop import wire

__all__ = ["receive", "send"]

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(dict[str, Any])


def send(sock: socket.socket, fields: dict[str, Any]) -> bool:
    """Whether the message left; False when the other end is gone or its queue is full.

    Raises:
        WireError: the message is longer than `wire.MAX_BYTES`.
        ValueError: the fields have no JSON.
    """
    return wire.send_bytes(sock, _ENCODER.encode(fields))


def receive(sock: socket.socket) -> dict[str, Any] | None:
    """The next message; None at the end. BlockingIOError passes through when nothing waits.

    Raises:
        WireError: for anything but one whole JSON object.
    """
    try:
        data = sock.recv(wire.MAX_BYTES + 1)
    except ConnectionResetError:  # said once, before the other end's last words: see `wire.receive`
        data = sock.recv(wire.MAX_BYTES + 1)
    if not data:
        return None
    if len(data) > wire.MAX_BYTES:
        raise wire.WireError(f"a message longer than {wire.MAX_BYTES} bytes")
    try:
        return _DECODER.decode(data)
    except (ValueError, RecursionError) as problem:
        raise wire.WireError(f"not a JSON object: {problem}") from problem
