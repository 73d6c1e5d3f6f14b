"""Carries bytes between the jail's own loopback, or two pipes, and the guard's unix sockets.

Understands nothing of what it carries: the proxy outside does. Run by the entry program beside the
agent, or by hand, standard library only:

    python -I -S forwarder.py PORT=SOCKET...   listens on 127.0.0.1:PORT
    python -I -S forwarder.py SOCKET           standard input and output, for an MCP client
"""

from __future__ import annotations

import gc
import posix as os
import sys

__all__ = ["forward", "start"]

_CHUNK = 1 << 16
_MOST_WAITING = 1 << 20
"""Bytes held for a side that does not read, after which the other is not read either."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket  # noqa: N812
    from collections.abc import Iterable


class _Way:
    """One direction: where it is read, where it is written, and what waits."""

    def __init__(self, source: int, target: int) -> None:
        self.source, self.target = source, target
        self.waiting = bytearray()
        self.ended = self.told = False

    def done(self) -> bool:
        return self.ended and not self.waiting


def start(ports: Iterable[tuple[int, str]]) -> None:
    """Fork a forwarder that belongs to nobody, and return once it listens.

    Raises:
        OSError: it does not listen.
    """
    ready, said = os.pipe()
    child = os.fork()
    if child == 0:
        if os.fork():
            os._exit(0)
        _serve_detached(tuple(ports), said)
    os.close(said)
    os.waitpid(child, 0)
    try:
        problem = os.read(ready, 200)
    finally:
        os.close(ready)
    if problem != b"listening":
        raise OSError(0, f"the forwarder did not start: {problem.decode() or 'it ended'}")


def _serve_detached(ports: tuple[tuple[int, str], ...], said: int) -> None:
    try:
        gc.enable()  # unlike the entry program, this one lives on
        os.setsid()
        nothing = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(nothing, fd)
        os.closerange(3, said)
        os.closerange(said + 1, 256)
        listeners = {_listener(port): path for port, path in ports}
        os.write(said, b"listening")
        os.close(said)
        forward(listeners)
    except BaseException as problem:  # noqa: BLE001 - whatever it is, this process ends here
        os.write(said, repr(problem)[:200].encode())
    finally:
        os._exit(1)


def _listener(port: int) -> Socket:
    import _socket as sockets

    sock = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM)
    sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(128)
    sock.setblocking(False)
    return sock


def _connected(path: str) -> int:
    import _socket as sockets

    sock = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        sock.connect(path)
        return sock.detach()
    finally:
        sock.close()


def forward(listeners: dict[Socket, str], first: tuple[tuple[int, int], ...] = ()) -> None:
    """Carry bytes until there is no listener and no connection left, or what `first` is joined to
    has ended: its client may wait for that with its own end open."""
    import select

    accepting = {sock.fileno(): (sock, path) for sock, path in listeners.items()}
    pairs: list[tuple[_Way, _Way]] = []
    if first:
        pairs.append((_Way(*first[0]), _Way(*first[1])))
    while accepting or pairs:
        poll = select.poll()
        for fd in accepting:
            poll.register(fd, select.POLLIN)
        masks: dict[int, int] = {}
        for pair in pairs:
            for way in pair:
                if not way.ended and len(way.waiting) < _MOST_WAITING:
                    masks[way.source] = masks.get(way.source, 0) | select.POLLIN
                if way.waiting:
                    masks[way.target] = masks.get(way.target, 0) | select.POLLOUT
        for fd, mask in masks.items():
            poll.register(fd, mask)
        events = dict(poll.poll())
        for fd in events.keys() & accepting.keys():
            _accept(*accepting[fd], pairs)
        for pair in pairs:
            for way in pair:
                _carry(way, events)
        if first and pairs[0][1].done():
            return
        pairs = [pair for pair in pairs if not _finished(pair)]


def _accept(sock: Socket, path: str, pairs: list[tuple[_Way, _Way]]) -> None:
    try:
        near, _ = sock._accept()  # type: ignore[attr-defined] # the C type's own, without `socket`
    except OSError:
        return
    try:
        far = _connected(path)
    except OSError:
        os.close(near)  # the proxy is gone: the agent sees its connection end
        return
    os.set_blocking(near, False)
    os.set_blocking(far, False)
    pairs.append((_Way(near, far), _Way(far, near)))


def _carry(way: _Way, events: dict[int, int]) -> None:
    if way.source in events and not way.ended and len(way.waiting) < _MOST_WAITING:
        try:
            chunk = os.read(way.source, _CHUNK)
            way.waiting += chunk
            way.ended = not chunk
        except BlockingIOError:
            pass
        except OSError:
            way.ended = True
    if way.waiting:
        try:
            del way.waiting[: os.write(way.target, way.waiting)]
        except BlockingIOError:
            pass
        except OSError:
            way.waiting.clear()
            way.ended = True
    if way.done() and not way.told:
        way.told = True
        _shut(way.target)


def _shut(fd: int) -> None:
    """Tell the other side that no more comes."""
    import _socket as sockets

    other = os.dup(fd)
    try:
        sock = sockets.socket(fileno=other)
    except OSError:  # a pipe: closing it says the same
        os.close(other)
        os.close(fd)
        return
    try:
        sock.shutdown(sockets.SHUT_WR)
    except OSError:
        pass
    finally:
        sock.close()


def _finished(pair: tuple[_Way, _Way]) -> bool:
    if not (pair[0].done() and pair[1].done()):
        return False
    for fd in {pair[0].source, pair[0].target, pair[1].source, pair[1].target}:
        os.closerange(fd, fd + 1)  # one that is closed already is no error here
    return True


def _main(words: list[str]) -> int:
    if len(words) == 1 and "=" not in words[0]:
        far = _connected(words[0])
        forward({}, ((0, far), (far, 1)))
        return 0
    forward({_listener(int(port)): path for port, path in (word.split("=", 1) for word in words)})
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
