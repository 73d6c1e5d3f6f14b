"""Which names may be looked up, and which addresses may be spoken to."""

from __future__ import annotations

import asyncio
import collections
import ipaddress
import math
import re
import socket
from typing import final

__all__ = ["NameWatch", "host_of", "is_own_name", "is_public", "plain_host", "resolved"]

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_URL = re.compile(
    r"https?://(\[[^\]/?#@\\\s]+\]|[^/?#@:\[\]\\\s]+)(?::[0-9]{1,5})?(?:[/?#]\S*)?",
    re.ASCII | re.IGNORECASE,
)
_NOT_FOR_AGENTS = ("localhost", "local", "internal", "lan", "home.arpa", "localdomain")
_GLOBAL_SIX = ipaddress.ip_network("2000::/3")
"""All of version 6 that is public; what is mapped or translated to version 4 lies outside it, and
what is tunnelled through it (Teredo) is not global."""
LONG_LABEL, LONG_NAME = 40, 120
ENTROPY_FROM, MOST_ENTROPY = 20, 3.9
MOST_NAMES = 60
"""Different names below one parent, after which they look like data and not like hosts."""
MOST_PARENTS = 1000
"""Parents whose names are remembered: with them some 10 MB."""


def plain_host(text: str) -> str | None:
    """The host name or address in its one plain form; None where it has none.

    >>> plain_host("PyPI.org."), plain_host("[2606:4700::1]"), plain_host("ex ample")
    ('pypi.org', '2606:4700::1', None)
    """
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
        return _address(text) if ":" in text else None
    host = text.lower().removesuffix(".")
    if (address := _address(host)) is not None:
        return address
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    # 127.1 and 0x7f.1 are addresses to the C library, not names.
    return None if re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)", labels[-1]) else host


def host_of(url: str) -> str | None:
    """The host of an http or https address in its plain form; None where it has none, or where
    some readers find another (before a backslash, or behind a name and an @).

    >>> host_of("https://A.test:8443/mcp"), host_of("https://a.test\\\\@b.test/")
    ('a.test', None)
    """
    found = _URL.fullmatch(url)
    return plain_host(found[1]) if found is not None else None


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet, and to no other network by any detour.

    >>> is_public("93.184.215.14"), is_public("127.0.0.1"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and (found.sixtofour or found not in _GLOBAL_SIX):
        return False
    return found.is_global and not (found.is_multicast or found.is_reserved)


async def resolved(host: str, port: int) -> list[str]:
    """The addresses of a host, looked up here and not in the jail. Raises: OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def is_own_name(host: str) -> bool:
    """Whether a name means this machine or its own network."""
    return "." not in host or host.endswith(tuple(f".{name}" for name in _NOT_FOR_AGENTS))


@final
class NameWatch:
    """Sees names that carry data instead of naming a host.

    It remembers names below the `MOST_PARENTS` parents that were asked for last: whoever asks for
    that many others in between is counted anew.
    """

    def __init__(self) -> None:
        self._below: collections.OrderedDict[str, set[str]] = collections.OrderedDict()

    def problem(self, host: str) -> str:
        """What is odd about a name; empty for nothing."""
        labels = host.split(".")
        if ":" in host or labels[-1].isdigit():
            return ""
        longest = max(labels, key=len)
        if len(longest) > LONG_LABEL or len(host) > LONG_NAME:
            return f"a name of {len(host)} characters, its longest part {len(longest)}"
        if len(longest) >= ENTROPY_FROM and (bits := _entropy(longest)) > MOST_ENTROPY:
            return f"a part of {len(longest)} characters with {bits:.1f} bits a character"
        parent = ".".join(labels[-2:])
        below = self._below[parent] = self._below.pop(parent, set())
        if len(below) <= MOST_NAMES:
            below.add(host)
        if len(self._below) > MOST_PARENTS:
            self._below.popitem(last=False)
        return f"more than {MOST_NAMES} names below {parent}" if len(below) > MOST_NAMES else ""


def _entropy(text: str) -> float:
    counts = collections.Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def _address(text: str) -> str | None:
    if "%" in text:  # a zone, any text at all, which many readers pass over
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
