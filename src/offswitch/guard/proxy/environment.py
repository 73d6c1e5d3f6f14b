"""What the agent is told about its ways out: addresses in the jail, and no key."""

from __future__ import annotations

from offswitch.guard.proxy.settings import ProxySettings

__all__ = ["EGRESS_PORT", "MODEL_PORT", "agent_environment", "forwards", "sockets"]

MODEL_PORT, EGRESS_PORT = 8080, 3128
"""Ports of the jail's own loopback."""
_NO_KEY = "held-by-the-guard"
"""What clients that insist on a key are given."""
_INSIDE = "/run/offswitch"


def agent_environment(settings: ProxySettings, port: int = MODEL_PORT) -> dict[str, str]:
    """Variables for the agent: where models, tool servers and the forward proxy are.

    The first model of a kind is that kind's address; every one has an address of its own name. An
    MCP server that is a program is reached by a client that starts, as its own server,
    `python3 -I -S /run/offswitch/inside/forwarder.py /run/offswitch/mcp-NAME.sock`.
    """
    here = f"http://127.0.0.1:{port}"
    found: dict[str, str] = {}
    for route in reversed(settings.models):
        tail = "/v1" if route.kind == "openai" else ""
        found[f"{_word(route.name)}_BASE_URL"] = f"{here}/{route.name}{tail}"
        found[f"{route.kind.upper()}_BASE_URL"] = f"{here}/{route.name}{tail}"
        found[f"{route.kind.upper()}_API_KEY"] = _NO_KEY
    for server in settings.mcp:
        found[f"MCP_{_word(server.name)}"] = (
            f"{here}/mcp/{server.name}" if server.url else f"{_INSIDE}/mcp-{server.name}.sock"
        )
    egress = f"http://127.0.0.1:{EGRESS_PORT}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        found[name] = egress
    for name in ("NO_PROXY", "no_proxy"):
        found[name] = "127.0.0.1,localhost"
    return found


def sockets(settings: ProxySettings) -> dict[str, str]:
    """Name in the jail's /run/offswitch -> socket on the host, as `plan_jail` takes them."""
    names = ["proxy.sock", "egress.sock"]
    names += [f"mcp-{server.name}.sock" for server in settings.mcp if server.command]
    return {name: f"{settings.folder}/{name}" for name in names}


def forwards() -> tuple[tuple[int, str], ...]:
    """Port in the jail, and the socket in the jail that it leads to."""
    return (
        (MODEL_PORT, f"{_INSIDE}/proxy.sock"),
        (EGRESS_PORT, f"{_INSIDE}/egress.sock"),
    )


def _word(name: str) -> str:
    return name.upper().replace("-", "_")
