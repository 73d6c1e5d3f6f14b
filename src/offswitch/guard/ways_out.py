"""The ways out that a policy opens, and what the supervisor does with them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import final

import msgspec

from offswitch.guard.brake import CpuBrake
from offswitch.guard.free_uid import free_uid
from offswitch.guard.jail.host import Host
from offswitch.guard.jail.settings import JailPolicy
from offswitch.guard.jail.tier import agent_uid
from offswitch.guard.journal import LedgerJournal
from offswitch.guard.policy.policy import Policy, Rule
from offswitch.guard.proxy.environment import agent_environment, forwards, sockets
from offswitch.guard.proxy.link import ProxyLink
from offswitch.guard.proxy.settings import ProxySettings, proxy_settings
from offswitch.guard.supervisor.runs import Run
from offswitch.guard.supervisor.settings import Hooks

__all__ = ["WaysOut", "with_levers"]


@final
class WaysOut:
    """The proxies that a policy needs, and what the jail has to know of them."""

    def __init__(self, policy: Policy, host: Host, folder: str) -> None:
        self.settings: ProxySettings | None = None
        self.jail, self.sockets = policy.jail, dict[str, str]()
        self.forwards: tuple[tuple[int, str], ...] = ()
        if policy.models or policy.mcp or any(map(_speaks_to_hosts, policy.rules)):
            owner = agent_uid(host, policy.jail)
            self.settings = proxy_settings(
                policy, folder, owner=owner, uid=_proxy_uid(policy.jail, host, owner)
            )
            told = {**agent_environment(self.settings), **policy.jail.environment}
            self.jail = msgspec.structs.replace(policy.jail, environment=told)
            self.sockets, self.forwards = sockets(self.settings), forwards()

    @contextlib.contextmanager
    def opened(
        self, journal: LedgerJournal, run: Run, marks: Mapping[str, str]
    ) -> Iterator[ProxyLink | None]:
        """The running proxy, or None where the policy opens no way out. What its tool servers
        start carries the run's `marks`."""
        if self.settings is None:
            yield None
            return
        settings = msgspec.structs.replace(self.settings, marks=dict(marks))
        link = ProxyLink(settings, lambda: journal.ledger, run.folder / "proxy.log")
        with contextlib.closing(link):
            yield link


def with_levers(hooks: Hooks, link: ProxyLink | None, brake: CpuBrake) -> Hooks:
    """The hooks with what holds, slows and closes the ways out of a run, and asks its operator.

    Without a way out no act passes the guard, so that there is none to hold; a throttle then
    bounds processor time alone.
    """
    if link is None:
        return dataclasses.replace(hooks, throttle=brake.switch)

    def throttle(on: bool) -> str:
        return "; ".join(filter(None, (link.throttle(on), brake.switch(on))))

    return dataclasses.replace(
        hooks,
        sensors=(*hooks.sensors, link.alarms),
        quiesce=link.quiesce,
        close_egress=link.close_egress,
        hold=link.hold,
        throttle=throttle,
        tool_notice=link.notice,
        waiting=link.waiting,
        answer=link.answer,
        egress=(link.pidfd,),
    )


def _proxy_uid(jail: JailPolicy, host: Host, owner: int) -> int | None:
    """The user that the proxy becomes; None where it stays whoever starts it."""
    if host.uid != 0 or jail.proxy_uid == 0:
        return None
    return free_uid({owner}) if jail.proxy_uid is None else jail.proxy_uid


def _speaks_to_hosts(rule: Rule) -> bool:
    return any(one.host or one.kind == "http" for one in (rule.pattern, *rule.sequence))
