"""Whole JSON messages, with descriptors beside them, between the guard's own processes.

Sequenced packets keep each message whole, so nothing has to be framed and no half message waits.
"""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any, NamedTuple  # Any: values of a JSON object

__all__ = [
    "MAX_BYTES",
    "Message",
    "WireError",
    "connect",
    "listen",
    "pair",
    "receive",
    "send",
    "send_bytes",
]

MAX_BYTES = 1 << 17
"""Longest message, bytes; less than what a socket takes at once by default."""
MAX_FDS = 64


class WireError(ValueError):
    """What arrived is not one of the guard's messages."""


class Message(NamedTuple):
    """One message as it arrived."""

    fields: dict[str, Any]
    """The JSON object."""
    fds: tuple[int, ...]
    """Descriptors that came with it, now this process's to close."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Two joined ends; each sees the other's death as the end of the file."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(sock: socket.socket, fields: dict[str, Any], fds: tuple[int, ...] = ()) -> bool:
    """Whether the message left; False when the other end is gone or its queue is full.

    Raises: WireError when the message is longer than `MAX_BYTES`.
    """
    return send_bytes(sock, _ENCODER.encode(fields).encode(), fds)


def send_bytes(sock: socket.socket, data: bytes, fds: tuple[int, ...] = ()) -> bool:
    """`send`, for a message that is JSON already."""
    if len(data) > MAX_BYTES or len(fds) > MAX_FDS:
        raise WireError(
            f"a message of {len(data)} bytes and {len(fds)} descriptors; the most is {MAX_BYTES} "
            f"and {MAX_FDS}. Pass long content through a descriptor."
        )
    try:
        if fds:
            socket.send_fds(sock, [data], list(fds), socket.MSG_NOSIGNAL)
        else:
            sock.send(data, socket.MSG_NOSIGNAL)
    except (BlockingIOError, ConnectionError, TimeoutError):
        return False
    return True


def receive(sock: socket.socket) -> Message | None:
    """The next message; None at the end. BlockingIOError passes through when nothing waits.

    Raises: WireError for anything but one whole JSON object.
    """
    try:
        data, fds, flags, _ = socket.recv_fds(sock, MAX_BYTES + 1, MAX_FDS)
    except ConnectionResetError:
        # The other end closed with messages of ours unread. The kernel says so once, and before
        # it hands out what the other end had still sent: its last words come after this.
        data, fds, flags, _ = socket.recv_fds(sock, MAX_BYTES + 1, MAX_FDS)
    if not data:
        for fd in fds:
            os.close(fd)
        return None
    try:
        return Message(_object(data, flags), tuple(fds))
    except WireError:
        for fd in fds:
            os.close(fd)
        raise


def listen(folder_fd: int, name: str) -> socket.socket:
    """A listening socket `name` in the folder, mode 0600, that never blocks.

    Bound through the descriptor: a socket's path may not be longer than 107 bytes.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        sock.bind(f"/proc/self/fd/{folder_fd}/{name}")
    finally:
        os.umask(before)
    sock.listen(8)
    return sock


def connect(folder: str, name: str, timeout_s: float) -> socket.socket:
    """A connection to the socket `name` of the folder. Raises OSError when nobody listens.

    A queue that is full of others is tried again until the time is up: connecting to a sequenced
    socket does not wait by itself.
    """
    end = time.monotonic() + timeout_s
    folder_fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(timeout_s)
    try:
        while True:
            try:
                sock.connect(f"/proc/self/fd/{folder_fd}/{name}")
                return sock
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.002)
    except OSError:
        sock.close()
        raise
    finally:
        os.close(folder_fd)


def _object(data: bytes, flags: int) -> dict[str, Any]:
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC) or len(data) > MAX_BYTES:
        raise WireError(f"a message longer than {MAX_BYTES} bytes or {MAX_FDS} descriptors")
    try:
        found = _DECODER.decode(data.decode())
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from error
    if not isinstance(found, dict):
        raise WireError(f"JSON {type(found).__name__}, expected an object")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_ENCODER = json.JSONEncoder(allow_nan=False)
_DECODER = json.JSONDecoder(parse_constant=_refuse)
