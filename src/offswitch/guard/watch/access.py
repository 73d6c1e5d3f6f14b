"""Who may see the operator's page, and who may give orders on it.

The page listens on loopback, which every program and every web page on this machine can reach. So
a request must name this very address (a foreign name that resolves here is turned away: DNS
rebinding), show the secret of its reader, and, to give an order, come from the page itself (no
other page can send it: cross-site request forgery).

Cookies do not tell ports apart: any server on this machine is sent those of any other. The page
therefore lies below a path that cannot be guessed, and its cookie is sent to that path alone.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["HEADERS", "LOOPBACK", "Access", "local_hosts"]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
COOKIE = "offswitch"
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
    "Server": "offswitch",
}
"""On every answer."""


def local_hosts(port: int) -> frozenset[str]:
    """The Host headers that name this machine's loopback at the port."""
    return frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Access:
    """The secrets of one page, made anew at every start, and the address it is reached at."""

    port: int
    token: str = field(default_factory=_secret, repr=False)
    """In the address that is printed; 256 random bits."""
    session: str = field(default_factory=_secret, repr=False)
    """In the cookie that the token is exchanged for."""
    place: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)
    """First part of every path; 128 random bits."""

    @property
    def address(self) -> str:
        """What an operator opens."""
        return f"http://127.0.0.1:{self.port}/{self.place}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """The Set-Cookie header: not for scripts, not for other sites, not for other paths."""
        return f"{COOKIE}={self.session}; Path=/{self.place}/; HttpOnly; SameSite=Strict"

    def host_problem(self, headers: Mapping[str, str]) -> str:
        """Why this request did not mean this page; empty where it did."""
        if headers.get("Host", "").lower() not in local_hosts(self.port):
            return "this page answers to 127.0.0.1, localhost and its own port alone"
        return ""

    def has_token(self, given: str | None) -> bool:
        """Whether the token is right; takes the same time for every wrong one."""
        return _same(given, self.token)

    def has_session(self, headers: Mapping[str, str]) -> bool:
        """Whether any cookie is right: another local server may have set one of the same name."""
        pairs = (part.strip().partition("=") for part in headers.get("Cookie", "").split(";"))
        return any(name == COOKIE and _same(value, self.session) for name, _, value in pairs)

    def origin_problem(self, headers: Mapping[str, str]) -> str:
        """Why an order does not come from the page itself; empty where it does."""
        if headers.get("Origin") != f"http://{headers.get('Host', '')}":
            return "an order must come from the page itself"
        if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return "an order must come from the page itself"
        if headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            return "an order is JSON"
        return ""


def _same(given: str | None, secret: str) -> bool:
    return hmac.compare_digest((given or "").encode("utf-8", "replace"), secret.encode())
