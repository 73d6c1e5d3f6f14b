"""The head of a request to a forward proxy, read strictly: what two servers could read differently
is refused, so that what was judged is what is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from offswitch.guard.proxy.addresses import plain_host

__all__ = ["Asking", "RequestError", "read_head"]

_LINE = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]{1,8000}) HTTP/1\.[01]")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ \t]*([\x20-\x7e\x80-\xff\t]*)")
_PLAIN = re.compile(r"http://([^/?#@]+)(/[^?#]*)?(?:\?([^#]*))?", re.IGNORECASE)
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
_HOP = {
    b"connection", b"keep-alive", b"te", b"trailer", b"upgrade", b"host", b"proxy-connection",
    b"proxy-authorization", b"proxy-authenticate", b"expect",
    # With these some servers do another method, or look up another path, than the first line says.
    b"x-http-method", b"x-http-method-override", b"x-method-override", b"x-original-url",
    b"x-rewrite-url",
}  # fmt: skip
_PLAIN_BYTE = re.compile(r"%(2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")
"""A letter, digit, '-', '.', '_' or '~' that is spelled out: the same address to every server."""
_TWO_WAYS = re.compile(r"//|;|%2f|%5c|%25|%3b|%00", re.IGNORECASE)
"""What some servers take for a border between folders, or read twice."""
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
    path, query = _plain_path(whole[2] or "/"), whole[3]
    asked = f"{path}?{query}" if query is not None else path
    name = f"[{host}]" if ":" in host else host
    place = name if port == 80 else f"{name}:{port}"
    head = f"{method} {asked} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n".encode()
    kept = [(name, value) for name, value in fields if _known_as(name) not in _HOP]
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


def _known_as(name: bytes) -> bytes:
    """A field's name as servers know it: to many an underscore is a hyphen."""
    return name.lower().replace(b"_", b"-")


def _length(fields: list[tuple[bytes, bytes]]) -> int:
    if any(_known_as(name) == b"transfer-encoding" for name, _ in fields):
        raise RequestError("a body without a length (Transfer-Encoding); send a Content-Length")
    lengths = [value.strip() for name, value in fields if _known_as(name) == b"content-length"]
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


def _plain_path(path: str) -> str:
    """The path with nothing spelled out that need not be (RFC 3986, 6.2.2.2): rules name paths as
    people write them. Refuses one that servers shorten or divide in ways of their own."""
    plain = _PLAIN_BYTE.sub(lambda found: chr(int(found[1], 16)), path)
    odd = _TWO_WAYS.search(plain) or "\\" in plain
    if odd or any(part in (".", "..") for part in plain.split("/")):
        raise RequestError(f"the path {path[:60]!r}, which may mean another")
    return plain
