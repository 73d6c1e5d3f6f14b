"""The operator's door: the control socket of one run, served without ever waiting."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any, final  # Any: values of a JSON object

from offswitch.errors import GuardError
from offswitch.guard.stop import wire
from offswitch.guard.stop.peer import admit, request_of
from offswitch.guard.supervisor.control import SOCKET, Request, read_request
from offswitch.guard.supervisor.runs import Run

__all__ = ["Door"]

MOST_WAITING = 8


@final
class Door:
    """The listening socket and those who have come in and not yet asked."""

    def __init__(self, run: Run) -> None:
        folder_fd = os.open(run.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.listener = wire.listen(folder_fd, SOCKET)
        finally:
            os.close(folder_fd)
        self.inside: list[socket.socket] = []

    def sockets(self) -> list[socket.socket]:
        """What to wait on."""
        return [self.listener, *self.inside]

    def serve(self, sock: socket.socket, answer: Callable[[Request], dict[str, Any]]) -> None:
        """Let somebody in, or answer the one request of somebody inside."""
        if sock is self.listener:
            connection = admit(self.listener)
            if connection is not None:
                self.inside.append(connection)
            while len(self.inside) > MOST_WAITING:
                self.inside.pop(0).close()
        elif sock in self.inside:
            self.inside.remove(sock)
            with sock:
                _answer(sock, answer)

    def close(self) -> None:
        """Shut it; the socket's name stays in the folder as a sign that there was one."""
        for sock in self.sockets():
            sock.close()


def _answer(sock: socket.socket, answer: Callable[[Request], dict[str, Any]]) -> None:
    fields = request_of(sock)
    if fields is None:
        return
    try:
        reply = answer(read_request(fields))
    except GuardError as error:
        reply = {"ok": False, "problem": str(error)}
    wire.send(sock, reply)
