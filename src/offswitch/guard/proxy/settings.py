"""What the proxy process is told when it starts: JSON on its standard input."""

from __future__ import annotations

import msgspec

from offswitch.errors import GuardError, problems_text
from offswitch.guard.policy.policy import GoalPolicy, Level, Policy, RoutePolicy, Rule

__all__ = ["McpServer", "ProxySettings", "check_settings", "proxy_settings"]


class McpServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool server that the agent may use; the guard runs it or speaks to it, outside the jail."""

    name: str
    """Letters, digits, dashes and underscores."""
    command: tuple[str, ...] = ()
    """Program to run, with its arguments; it speaks over its standard input and output."""
    url: str = ""
    """Address of a streamable HTTP server, instead of a program."""
    key_variable: str = ""
    """Environment variable with a bearer token for `url`; empty: none is sent."""


class ProxySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the proxy process needs; keys come by its environment."""

    rules: tuple[Rule, ...]
    models: tuple[RoutePolicy, ...] = ()
    goal: GoalPolicy = GoalPolicy()
    ladder: tuple[tuple[str, Level], ...] = ()
    mcp: tuple[McpServer, ...] = ()
    folder: str = ""
    """Folder for the sockets `proxy.sock`, `egress.sock` and `mcp-NAME.sock`; empty for none."""
    owner: int | None = None
    """User id that the sockets are given to: the agent's; None leaves them with this user."""
    port: int | None = None
    """Port of 127.0.0.1 for models and MCP, beside the socket; None for none."""
    channel: int = -1
    """Descriptor of the socket to the supervisor."""
    answer_s: float = 2.0
    """How long the supervisor may take to write an act down."""
    operator_s: float = 300.0
    """How long an operator may take to answer; no answer rejects."""
    again: int = 2
    """How often a model is told of a refusal and asked anew before the agent is told."""
    tunnel_ports: tuple[int, ...] = (443,)
    plain_ports: tuple[int, ...] = (80,)


def proxy_settings(
    policy: Policy, folder: str, *, owner: int | None = None, mcp: tuple[McpServer, ...] = ()
) -> ProxySettings:
    """The settings that follow from a policy, with sockets in `folder`."""
    return ProxySettings(
        rules=policy.rules,
        models=policy.models,
        goal=policy.goal,
        ladder=policy.ladder,
        mcp=mcp,
        folder=folder,
        owner=owner,
    )


def check_settings(settings: ProxySettings) -> None:
    """Nothing, when they can be started from.

    Raises:
        GuardError: every problem at once.
    """
    names = [route.name for route in settings.models]
    servers = [server.name for server in settings.mcp]
    problems = [f"two models are named {name!r}" for name in sorted(_twice(names))]
    problems += [f"two MCP servers are named {name!r}" for name in sorted(_twice(servers))]
    problems += [
        f"{name!r} cannot be part of a path, expected letters, digits, '-' and '_'"
        for name in [*names, *servers]
        if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii()
    ]
    if "mcp" in names:
        problems.append("a model may not be named 'mcp': that path leads to the MCP servers")
    problems += [
        f"MCP server {server.name!r} has {'both' if server.url else 'neither'} a command "
        f"{'and' if server.url else 'nor'} a url, expected one of them"
        for server in settings.mcp
        if bool(server.command) == bool(server.url)
    ]
    if problems:
        raise GuardError(problems_text("the proxy's settings", problems))


def _twice(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}
