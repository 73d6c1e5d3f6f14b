"""The `models:` and `mcp:` parts of a policy file: the ways out of the jail that have names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from offswitch.guard.policy.fields import Fields
from offswitch.guard.policy.policy import McpServer, RoutePolicy
from offswitch.guard.policy.yaml_nodes import Problems

__all__ = ["mcp_servers", "model_routes", "route_problems"]

MOST_NAME = 40
"""Longest name of a way out, characters: it is part of the path of a socket, which has 107."""
_NAME = re.compile(r"[A-Za-z0-9_-]*[A-Za-z0-9][A-Za-z0-9_-]*")


def model_routes(fields: Fields, problems: Problems) -> tuple[RoutePolicy, ...]:
    """The list `models` of a mapping."""
    return tuple(_route(Fields(one, problems), problems) for one in fields.items("models"))


def mcp_servers(fields: Fields, folder: Path, problems: Problems) -> tuple[McpServer, ...]:
    """The list `mcp` of a mapping; a program with a slash in it is taken from `folder`."""
    return tuple(_server(Fields(one, problems), folder, problems) for one in fields.items("mcp"))


def route_problems(models: Sequence[RoutePolicy], mcp: Sequence[McpServer]) -> list[str]:
    """What is wrong with the names and targets of all ways out together.

    >>> route_problems((), (McpServer(name="files"),))
    ["MCP server 'files' has neither a command nor a url, expected one of them"]
    """
    names, servers = [one.name for one in models], [one.name for one in mcp]
    problems = [f"two models are named {name!r}" for name in sorted(_twice(names))]
    problems += [f"two MCP servers are named {name!r}" for name in sorted(_twice(servers))]
    problems += [
        f"{name!r} cannot be part of a path, expected letters, digits, '-' and '_', "
        f"{MOST_NAME} at most"
        for name in [*names, *servers]
        if not _NAME.fullmatch(name) or len(name) > MOST_NAME
    ]
    problems += [f"two {kind} would be {told}" for kind, told in _told_twice(names, servers)]
    if "mcp" in names:
        problems.append("a model may not be named 'mcp': that path leads to the MCP servers")
    problems += [
        f"MCP server {server.name!r} has {'both' if server.url else 'neither'} a command "
        f"{'and' if server.url else 'nor'} a url, expected one of them"
        for server in mcp
        if bool(server.command) == bool(server.url)
    ]
    problems += [
        f"MCP server {server.name!r} is a program and has a key_variable: a key is sent to a url "
        "alone, and a program gets none of the guard's"
        for server in mcp
        if server.command and server.key_variable
    ]
    problems += [
        f"the address of {name!r} holds a user's name and it has a key_variable, expected one "
        "of them"
        for name, address, key in [
            *((one.name, one.upstream, one.key_variable) for one in models),
            *((one.name, one.url, one.key_variable) for one in mcp),
        ]
        if key and "@" in address.partition("://")[2].partition("/")[0]
    ]
    return problems


def _route(fields: Fields, problems: Problems) -> RoutePolicy:
    found = RoutePolicy(
        name=fields.text("name", "model"),
        kind=fields.choice("kind", ("openai", "anthropic"), "openai"),
        upstream=_address(fields, "upstream", "https://api.openai.com", problems).rstrip("/"),
        key_variable=fields.text("key_variable", ""),
    )
    fields.finish()
    return found


def _server(fields: Fields, folder: Path, problems: Problems) -> McpServer:
    program, *arguments = fields.texts("command") or ("",)
    if "/" in program:
        program = str(folder / program)
    given = fields.node is not None and fields.take("url") is not None
    found = McpServer(
        name=fields.text("name", "tools"),
        command=(program, *arguments) if program else (),
        url=_address(fields, "url", "https://tools.example/mcp", problems) if given else "",
        key_variable=fields.text("key_variable", ""),
    )
    fields.finish()
    return found


def _address(fields: Fields, name: str, example: str, problems: Problems) -> str:
    known = len(problems)
    found = fields.text(name, "", expected=f"an address such as {example}")
    if len(problems) == known and not _is_address(found):
        node = fields.node
        where = f"line {node.line}: {node.where}" if node is not None else "ways out"
        problems.append(
            f"{where}.{name}: got {found!r}, expected an http(s) address; its port, if any, is 1 "
            "to 65535"
        )
        return ""
    return found


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, or half a bracket
        return False


def _told_twice(names: list[str], servers: list[str]) -> list[tuple[str, str]]:
    """Names of variables in the agent's environment that would stand for two ways out."""
    found = []
    for kind, given, form in (("models", names, "{}_BASE_URL"), ("MCP servers", servers, "MCP_{}")):
        words = [name.upper().replace("-", "_") for name in {*given}]
        found += [(kind, f"{form.format(word)} to the agent") for word in sorted(_twice(words))]
    return found


def _twice(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}
