"""What the proxy process is told when it starts: JSON on its standard input."""

from __future__ import annotations

import math

import msgspec

from offswitch.errors import GuardError, problems_text
from offswitch.guard.policy.policy import (
    GoalPolicy,
    Level,
    McpServer,
    Policy,
    RoutePolicy,
    Rule,
)
from offswitch.guard.policy.ways_section import route_problems

__all__ = ["EVERY_S", "PER_S", "ProxySettings", "check_settings", "proxy_settings"]

EVERY_S = 2.0
"""Between two acts or model calls of a throttled run, seconds."""
PER_S = 64 * 1024
"""What each connection of a throttled run may send or receive in a second, bytes."""


class ProxySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the proxy process needs; keys come by its environment."""

    rules: tuple[Rule, ...]
    models: tuple[RoutePolicy, ...] = ()
    goal: GoalPolicy = GoalPolicy()
    ladder: tuple[tuple[str, Level], ...] = ()
    mcp: tuple[McpServer, ...] = ()
    tokens: float | None = None
    """Most tokens of all model calls together; None for no limit."""
    folder: str = ""
    """Folder for the sockets `proxy.sock`, `egress.sock` and `mcp-NAME.sock`; empty for none."""
    owner: int | None = None
    """User id that the sockets are given to: the agent's; None leaves them with this user."""
    uid: int | None = None
    """User and group id that the proxy and its tool servers run under; None leaves this one's."""
    port: int | None = None
    """Port of 127.0.0.1 for models and MCP, beside the socket; None for none."""
    marks: dict[str, str] = {}
    """Variables for tool servers: what they leave behind is found by them and killed."""
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
    policy: Policy, folder: str, *, owner: int | None = None, uid: int | None = None
) -> ProxySettings:
    """The settings that follow from a policy, with sockets in `folder`."""
    tokens = dict(policy.resources).get("tokens")
    return ProxySettings(
        rules=policy.rules,
        models=policy.models,
        goal=policy.goal,
        ladder=policy.ladder,
        mcp=policy.mcp,
        tokens=None if tokens is None or math.isinf(tokens.hard) else tokens.hard,
        folder=folder,
        owner=owner,
        uid=uid,
    )


def check_settings(settings: ProxySettings) -> None:
    """Nothing, when they can be started from.

    Raises:
        GuardError: every problem at once.
    """
    problems = route_problems(settings.models, settings.mcp)
    if problems:
        raise GuardError(problems_text("the proxy's settings", problems))
