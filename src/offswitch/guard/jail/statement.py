"""What holds an agent, in writing: the first record of its ledger."""

from __future__ import annotations

import hashlib

import msgspec

from offswitch.guard.jail.plan import JailPlan
from offswitch.guard.jail.selftest import ProbeOutcome, Report

__all__ = ["ContainmentStatement", "containment_statement", "statement_text"]


class ContainmentStatement(msgspec.Struct, frozen=True):
    """Mechanisms, bounds, waivers and what the probes found, for one start of an agent."""

    tier: int
    tier_name: str
    covered: tuple[str, ...]
    not_covered: tuple[str, ...]
    missing: tuple[str, ...]
    """What this machine lacks for the next tier."""
    kernel: str
    machine: str
    mechanisms: tuple[str, ...]
    """Each with its version or size."""
    agent_uid: int
    """On the host."""
    limits: dict[str, int]
    """Resource limits of each process, as set."""
    group: tuple[str, ...]
    """Folders of the run's control group; empty without one."""
    filter_sha256: str | None
    """Digest of the system-call filter; None at tier 0."""
    waived: tuple[str, ...]
    attested: str | None
    """What the operator says of the machine; not checked."""
    outcomes: tuple[ProbeOutcome, ...]
    """Empty at tier 0, where nothing is tried."""


def containment_statement(plan: JailPlan, report: Report) -> ContainmentStatement:
    """The statement of one start of `plan`, whose entry program said `report`."""
    return ContainmentStatement(
        tier=plan.tier.level,
        tier_name=plan.tier.name,
        covered=plan.tier.covered,
        not_covered=plan.tier.not_covered,
        missing=plan.tier.missing,
        kernel=plan.host.kernel,
        machine=plan.host.machine,
        mechanisms=_mechanisms(plan),
        agent_uid=plan.host.uid if plan.uid is None else plan.uid,
        limits=plan.entry.limits,
        group=plan.group.folders if plan.group else (),
        filter_sha256=hashlib.sha256(plan.seccomp).hexdigest() if plan.seccomp else None,
        waived=plan.policy.waive,
        attested=plan.policy.attested,
        outcomes=report.outcomes,
    )


def _mechanisms(plan: JailPlan) -> tuple[str, ...]:
    found: list[str] = []
    if plan.tier.level >= 2:
        version = ".".join(map(str, plan.host.bubblewrap_version or ()))
        found.append(f"bubblewrap {version}: user, pid, net, ipc, uts and cgroup namespaces")
    if plan.entry.landlock is not None:
        found.append(f"Landlock ABI {plan.entry.landlock.abi}")
    if plan.seccomp is not None:
        found.append(f"seccomp filter of {len(plan.seccomp) // 8} instructions")
    found.append(f"resource limits on {', '.join(sorted(plan.entry.limits))}")
    if plan.group is not None:
        bounds = [name for name, held in _bounds(plan) if held]
        found.append(f"control group ({', '.join(bounds) or 'no bounds'})")
    return tuple(found)


def _bounds(plan: JailPlan) -> tuple[tuple[str, bool], ...]:
    assert plan.group is not None
    return (
        ("memory", plan.group.bounds_memory),
        ("processes", plan.group.bounds_processes),
        ("kill and freeze", plan.group.unified is not None),
    )


def statement_text(statement: ContainmentStatement) -> str:
    """What is printed before the agent starts."""
    words = [outcome.word for outcome in statement.outcomes]
    counts = ", ".join(
        f"{words.count(word)} {word}" for word in ("blocked", "allowed", "not applicable")
    )
    opened = [outcome.name for outcome in statement.outcomes if outcome.word == "allowed"]
    lines = [f"tier {statement.tier}: {statement.tier_name}"]
    lines += [f"  by       {line}" for line in statement.mechanisms]
    lines += [f"  covered  {line}" for line in statement.covered]
    lines += [f"  NOT      {line}" for line in statement.not_covered]
    lines += [f"  for tier {max(2, statement.tier + 1)}: {line}" for line in statement.missing]
    lines.append(f"  probes   {counts}" if words else "  probes   none tried")
    lines += [f"  open     {name}" for name in opened]
    lines += [f"  waived   {name}" for name in statement.waived]
    if statement.attested:
        lines.append(f"  attested (not checked): {statement.attested}")
    return "\n".join(lines)
