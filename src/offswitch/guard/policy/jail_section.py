"""The `jail:` part of a policy file: text into plain numbers; what they may be is checked later."""

from __future__ import annotations

from pathlib import Path

from offswitch.guard.jail.settings import JailPolicy, Limits
from offswitch.guard.policy.fields import Fields
from offswitch.guard.policy.yaml_nodes import Node, Problems

__all__ = ["jail_policy"]


def jail_policy(fields: Fields, folder: Path, problems: Problems) -> JailPolicy:
    """The jail that a mapping describes; a relative workspace is taken from `folder`."""
    found = JailPolicy(
        workspace=str(folder / fields.text("workspace", "work", expected="a folder")),
        tier=fields.integer("tier", 2, low=0, high=4),
        read=tuple(str(folder / one) for one in fields.texts("read")),
        environment=_environment(fields, problems),
        limits=_limits(Fields(fields.take("limits"), problems)),
        waive=fields.texts("waive"),
        tcp_ports=tuple(_port(one, problems) for one in fields.items("tcp_ports")),
        uid=fields.integer("uid", None, low=0, high=2**31),
        proxy_uid=fields.integer("proxy_uid", None, low=0, high=2**31),
        attested=fields.text("attested", None),
    )
    fields.finish()
    return found


def _limits(fields: Fields) -> Limits:
    default = Limits()
    found = Limits(
        memory=fields.size("memory", default.memory),
        processes=fields.integer("processes", default.processes, low=1),
        file=fields.size("file", default.file),
        tmp=fields.size("tmp", default.tmp),
        cpu=fields.seconds("cpu", default.cpu),
        wall=fields.seconds("wall", default.wall),
        open_files=fields.integer("open_files", default.open_files, low=1),
        address_space=fields.size("address_space", None),
    )
    fields.finish()
    return found


def _environment(fields: Fields, problems: Problems) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, node in fields.entries("environment"):
        if isinstance(node.value, str | int | float) and not isinstance(node.value, bool):
            found[name] = str(node.value)
        else:
            problems.append(node.problem("a text"))
    return found


def _port(node: Node, problems: Problems) -> int:
    if type(node.value) is int and 1 <= node.value <= 65535:
        return node.value
    problems.append(node.problem("a port, 1 to 65535"))
    return 1
