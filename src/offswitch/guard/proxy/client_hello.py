"""Which host a TLS connection asks for, from its first message.

Source: RFC 8446, section 4.1.2, and RFC 6066, section 3.
"""

from __future__ import annotations

__all__ = ["MOST_BYTES", "NotTlsError", "server_name"]

MOST_BYTES = 2**15
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0


class NotTlsError(ValueError):
    """Bytes that do not begin a TLS connection."""


def server_name(data: bytes) -> str | None:
    """The name that a ClientHello asks for, empty where it asks for none; None for: more is needed.

    Raises:
        NotTlsError: this is no ClientHello.
    """
    message = _handshake(data)
    if message is None:
        return None
    try:
        names = [_host(content) for kind, content in _extensions(message) if kind == _SERVER_NAME]
    except (IndexError, UnicodeDecodeError) as problem:
        raise NotTlsError("a ClientHello that is cut short") from problem
    if len(names) > 1:
        raise NotTlsError("more than one server name")
    return names[0] if names else ""


def _handshake(data: bytes) -> bytes | None:
    """The ClientHello's body, put together from the records it comes in."""
    message, at = b"", 0
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4]):
        head = data[at : at + 5]
        if (head[:1] and head[0] != _HANDSHAKE) or (head[1:2] and head[1] != 3):
            raise NotTlsError("no TLS handshake")
        if message and message[0] != _CLIENT_HELLO:
            raise NotTlsError("no ClientHello")
        length = int.from_bytes(head[3:5])
        if len(data) > MOST_BYTES or (len(head) == 5 and not 0 < length <= 2**14):
            raise NotTlsError("a ClientHello that is too long, or an empty record")
        if len(head) < 5 or len(data) < at + 5 + length:
            return None
        message += data[at + 5 : at + 5 + length]
        at += 5 + length
    if message[0] != _CLIENT_HELLO:
        raise NotTlsError("no ClientHello")
    return message[4 : 4 + int.from_bytes(message[1:4])]


def _extensions(body: bytes) -> list[tuple[int, bytes]]:
    at = 34  # version and random
    at += 1 + body[at]  # session
    at += 2 + int.from_bytes(body[at : at + 2])  # ciphers
    at += 1 + body[at]  # compressions
    if at == len(body):
        return []
    if at + 2 + int.from_bytes(body[at : at + 2]) != len(body):
        raise IndexError
    at += 2
    found: list[tuple[int, bytes]] = []
    while at < len(body):
        kind, length = int.from_bytes(body[at : at + 2]), int.from_bytes(body[at + 2 : at + 4])
        if at + 4 + length > len(body):
            raise IndexError
        found.append((kind, body[at + 4 : at + 4 + length]))
        at += 4 + length
    return found


def _host(content: bytes) -> str:
    if len(content) < 5 or content[2] != _HOST_NAME:
        raise NotTlsError("a server name of an unknown kind")
    if int.from_bytes(content[:2]) != len(content) - 2:
        raise NotTlsError("a server name that is cut short")
    length = int.from_bytes(content[3:5])
    if len(content) != 5 + length:
        raise NotTlsError("more than one server name")
    return content[5:].decode("ascii").lower()
