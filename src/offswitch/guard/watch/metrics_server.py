"""Answers Prometheus: GET /metrics, with a fresh look every time."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from socketserver import ThreadingMixIn
from typing import Any  # Any: WSGI's own environment
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from offswitch.errors import GuardError
from offswitch.guard.watch.access import LOOPBACK, local_hosts
from offswitch.guard.watch.metrics import MISSING

__all__ = ["listen_address", "metrics_app", "serve_metrics"]

Start = Callable[[str, list[tuple[str, str]]], object]
TYPE = "text/plain; version=0.0.4; charset=utf-8"


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`.

    >>> listen_address("127.0.0.1:9464"), listen_address("[::1]:0")
    (('127.0.0.1', 9464), ('::1', 0))

    Raises:
        ValueError: says what is expected.
    """
    host, colon, port = text.rpartition(":")
    number = int(port) if port.isascii() and port.isdigit() else -1
    if not colon or not host or not 0 <= number <= 65535:
        raise ValueError(f"got {text!r}, expected an address and a port such as 127.0.0.1:9464")
    return host.strip("[]"), number


def metrics_app(
    text: Callable[[], bytes], allowed: frozenset[str] | None
) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """A WSGI program; `allowed` are the Host headers it answers, None for all."""

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        status, body = "200 OK", b""
        if allowed is not None and environ.get("HTTP_HOST", "").lower() not in allowed:
            status, body = "421 Misdirected Request", b"this address is not known here\n"
        elif environ["PATH_INFO"] != "/metrics":
            status, body = "404 Not Found", b"GET /metrics\n"
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            status, body = "405 Method Not Allowed", b"GET /metrics\n"
        else:
            body = text()
        kind = TYPE if status.startswith("200") else "text/plain; charset=utf-8"
        start(status, [("Content-Type", kind), ("Content-Length", str(len(body))),
                       ("X-Content-Type-Options", "nosniff")])  # fmt: skip
        return [body]

    return app


def serve_metrics(
    text: Callable[[], bytes], host: str, port: int, listening: Callable[[str], object]
) -> None:
    """Answer scrapes until interrupted; `listening` is told the address.

    On loopback only loopback's own names are answered, so that no web page can read them by way
    of a name that it made resolve here.

    Raises:
        GuardError: prometheus-client is missing, or the address cannot be listened on.
    """
    if find_spec("prometheus_client") is None:
        raise GuardError(MISSING)
    with _server(host, port) as server:
        bound = server.server_address[1]
        server.set_app(metrics_app(text, local_hosts(bound) if host in LOOPBACK else None))
        shown = f"[{host}]" if ":" in host else host
        listening(f"http://{shown}:{bound}/metrics")
        server.serve_forever()


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Threaded6(_Threaded):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = 10  # seconds; a scraper that says nothing holds no thread for ever

    def log_message(self, format: str, *args: object) -> None:
        """Scrapes are not worth a line."""


def _server(host: str, port: int) -> WSGIServer:
    kind = _Threaded6 if ":" in host else _Threaded
    try:
        return make_server(host, port, _nothing, kind, _Quiet)
    except OSError as problem:
        raise GuardError(
            f"cannot listen on {host}:{port}: {problem.strerror}. Name another address and port."
        ) from problem


def _nothing(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    return []
