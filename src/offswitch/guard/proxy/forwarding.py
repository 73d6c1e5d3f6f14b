"""The head of a request to a forward proxy, read strictly: what two servers could read differently
is refused, so that what was judged is what is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from offswitch.guard.proxy.addresses import plain_host

__all__ = ["Asking", "RequestError", "read_head"]

_LINE = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]{1,8000}) HTTP/1\.[01]")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ \t]*([\x20-\x7e\x80-\xff\t]*)")
_PLAIN = re.compile(r"http://([^/?#@]+)(/[^?#]*)?(?:\?([^#]*))?", re.IGNORECASE)
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_HOP = {
    b"connection", b"keep-alive", b"te", b"trailer", b"upgrade", b"host", b"proxy-connection",
    b"proxy-authorization", b"proxy-authenticate", b"expect",
}  # fmt: skip
MOST_FIELDS = 200


class RequestError(ValueError):
    """A head that is not passed on; the message says why."""


@dataclass(frozen=True)
class Asking:
    """What is asked for."""

    method: str
    host: str
    """In lower case, without a trailing dot."""
    port: int
    path: str
    """Empty for a tunnel."""
    query: str
    length: int
    """Bytes of the body."""
    head: bytes
    """The head for the host itself; empty for a tunnel."""

    @property
    def tunnel(self) -> bool:
        """Whether only the host can be seen."""
        return self.method == "CONNECT"


def read_head(data: bytes) -> Asking:
    """What the head of a request asks for. Raises: RequestError."""
    first, *lines = data.removesuffix(b"\r\n\r\n").split(b"\r\n")
    found = _LINE.fullmatch(first)
    if found is None:
        raise RequestError("its first line is no request")
    method, target = found[1].decode(), found[2].decode("ascii")
    fields = _fields(lines)
    if method == "CONNECT":
        host, port = _place(target, 443)
        return Asking(method, host, port, "", "", 0, b"")
    whole = _PLAIN.fullmatch(target)
    if whole is None:
        raise RequestError("its target is no http:// address; https goes through CONNECT")
    host, port = _place(whole[1], 80)
    path, query = whole[2] or "/", whole[3]
    _check_path(path)
    asked = f"{path}?{query}" if query is not None else path
    place = host if port == 80 else f"{host}:{port}"
    head = f"{method} {asked} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n".encode()
    kept = [(name, value) for name, value in fields if name.lower() not in _HOP]
    head += b"".join(b"%s: %s\r\n" % field for field in kept) + b"\r\n"
    return Asking(method, host, port, path, query or "", _length(fields), head)


def _fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    if len(lines) > MOST_FIELDS:
        raise RequestError(f"more than {MOST_FIELDS} header fields")
    fields = []
    for line in lines:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise RequestError(f"the header line {line[:40]!r}")
        fields.append((found[1], found[2]))
    return fields


def _length(fields: list[tuple[bytes, bytes]]) -> int:
    if any(name.lower() == b"transfer-encoding" for name, _ in fields):
        raise RequestError("a body without a length (Transfer-Encoding); send a Content-Length")
    lengths = [value.strip() for name, value in fields if name.lower() == b"content-length"]
    if not lengths:
        return 0
    if len(lengths) > 1 or not re.fullmatch(rb"[0-9]{1,15}", lengths[0]):
        raise RequestError("a Content-Length that is not clear")
    return int(lengths[0])


def _place(text: str, default: int) -> tuple[str, int]:
    found = _PLACE.fullmatch(text)
    host = plain_host(found[1]) if found is not None else None
    port = int(found[2] or default) if found is not None else 0
    if host is None or not 1 <= port <= 65535:
        raise RequestError(f"the host {text[:60]!r}")
    return host, port


def _check_path(path: str) -> None:
    """Refuse a path that servers shorten before they look it up."""
    plain = unquote(path).replace("\\", "/")
    if any(part in (".", "..") for part in plain.split("/")) or "%25" in path or "\0" in plain:
        raise RequestError(f"the path {path[:60]!r}, which may mean another")
