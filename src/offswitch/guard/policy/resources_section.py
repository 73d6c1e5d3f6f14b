"""The `resources:` part of a policy file: what is measured of a run, or kept, and nothing else."""

from __future__ import annotations

from offswitch.errors import nearest_name
from offswitch.guard.policy.fields import Fields
from offswitch.guard.policy.policy import Need
from offswitch.guard.policy.yaml_nodes import Problems

__all__ = ["needs"]

_MEASURED = ("connections", "cpu", "memory", "processes", "tokens")


def needs(fields: Fields, problems: Problems) -> tuple[tuple[str, Need], ...]:
    """The mapping `resources` of a mapping."""
    found = []
    for name, node in fields.entries("resources"):
        if name not in _MEASURED:  # a limit that nobody keeps would pass for one that holds
            hint = nearest_name(name, _MEASURED, kind="resource", lister="docs/contain.md")
            problems.append(f"line {node.line}: {node.where}: {hint}")
        found.append((name, _need(Fields(node, problems), name, problems)))
    return tuple(found)


def _need(fields: Fields, name: str, problems: Problems) -> Need:
    need = fields.number("need", 0.0, low=0.0)
    soft = fields.number("soft", need, low=0.0)
    hard = fields.number("hard", float("inf"), low=0.0)
    if fields.node is not None and not need <= soft <= hard:
        problems.append(
            f"line {fields.node.line}: resources.{name}: got need {need:g}, soft {soft:g}, hard "
            f"{hard:g}, expected need <= soft <= hard"
        )
    fields.finish()
    return Need(need=need, soft=soft, hard=hard)
