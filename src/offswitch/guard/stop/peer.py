"""Who is at the other end of an operator's socket."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any  # values of a JSON object

from . import wire
from .processes import pid_namespace

__all__ = ["admit", "is_operator", "request_of"]


def is_operator(connection: socket.socket) -> bool:
    """Whether the other end may give orders: this user or root, in this very pid namespace.

    File modes keep other users out; the namespace keeps the agent out even where its user is the
    same and somebody has mounted the socket into its jail.
    """
    size = struct.calcsize("3i")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, _ = struct.unpack("3i", raw)
    if pid <= 0 or uid not in (0, os.getuid()):
        return False
    return pid_namespace(pid) == os.stat("/proc/self/ns/pid").st_ino


def admit(listener: socket.socket) -> socket.socket | None:
    """The next to come in, never blocking; None when nobody waits or a stranger was turned away.

    Turned away at the door: strangers must not fill the places of operators.
    """
    try:
        connection, _ = listener.accept()
    except OSError:  # gone again before it was let in
        return None
    try:
        known = is_operator(connection)
    except OSError:
        known = False
    if not known:
        connection.close()
        return None
    connection.setblocking(False)
    return connection


def request_of(connection: socket.socket) -> dict[str, Any] | None:
    """The one request waiting on the connection; None when there is none or it is malformed.

    A malformed message is answered with what is wrong with it.
    """
    try:
        message = wire.receive(connection)
    except OSError:
        return None
    except wire.WireError as error:
        wire.send(connection, {"ok": False, "problem": str(error)})
        return None
    for fd in () if message is None else message.fds:
        os.close(fd)
    return None if message is None else message.fields
