"""The frozen types of a policy file."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from offswitch.guard.jail.settings import JailPolicy
from offswitch.guard.policy.act import ActKind
from offswitch.guard.policy.verdict import Word

__all__ = [
    "ArgumentPattern", "GoalPolicy", "LedgerPolicy", "Level", "McpServer", "Need", "Pattern",
    "Policy", "RoutePolicy", "Rule", "ShutdownPolicy", "WatchdogPolicy",
]  # fmt: skip

Level: TypeAlias = Literal["observe", "ask", "throttle", "freeze", "kill"]


class ArgumentPattern(msgspec.Struct, frozen=True, kw_only=True):
    """What one argument of a call must be like; every part that is given must fit."""

    glob: tuple[str, ...] = ()
    """Any of these: `*` is any text, `?` any character."""
    regex: str | None = None
    """Python's syntax; must occur somewhere in the argument's text."""
    equals: Any = None  # Any: a plain JSON value
    at_most: float | None = None
    """The largest number that fits."""
    absent: bool = False
    """Fits where the call does not have the argument."""


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """Which acts fit: every part that is given must fit; an empty pattern fits every act."""

    kind: ActKind | None = None
    tool: tuple[str, ...] = ()
    arguments: tuple[tuple[str, ArgumentPattern], ...] = ()
    """Argument names, dots between levels, and what each must be like."""
    host: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    path: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict for the acts that fit. The first rule that fits decides."""

    name: str
    verdict: Word
    pattern: Pattern = Pattern()
    """What the act must be like; not used where there is a sequence."""
    sequence: tuple[Pattern, ...] = ()
    """Acts in this order, others between them allowed; the last is the act that is judged."""
    within: int = 20
    """How many acts that were let through before the judged one are looked back at."""
    set: tuple[tuple[str, Any], ...] = ()  # Any: plain JSON values
    """Arguments that `modify` puts in the place of the agent's own."""
    reason: str = ""


class WatchdogPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When the watchdog stops everything; seconds."""

    heartbeat: float = 0.05
    timeout: float = 0.25
    lease: float = 7200.0
    """Time until an operator must have renewed the run."""
    canary: float | None = 3600.0
    """Between two proofs, on a canary, that the kill switch still kills; None for none."""


class ShutdownPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How an ordered stop goes; seconds."""

    notice: float = 5.0
    """Time in which the agent is told and its proposals are still answered."""
    grace: float = 10.0
    """Time to save its work, with nothing new let through."""
    deadline: float = 20.0
    """From the order to the tree verified empty."""
    report: str = ".stopped"
    """File of the workspace for the agent's own word on whether anything of it goes on."""
    checkpoint: str | None = None
    """File of the workspace in which the agent saves its work; None: nobody looks for one."""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What a run needs of a resource, and where it is asked about and where it ends."""

    need: float
    """What baseline runs needed (their 95th percentile), in the resource's unit."""
    soft: float
    """Above this the ladder is asked."""
    hard: float
    """Never more than this."""


class GoalPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What must not change while the agent runs."""

    files: tuple[str, ...] = ()
    """Files pinned by hash at the start and mounted read-only."""
    system_prompt_sha256: str | None = None
    """None pins the first system prompt that is sent."""
    tools_sha256: str | None = None
    """None pins the first tool list that is sent."""
    canary: bool = True
    """Whether a writable decoy of the goal lies in the workspace; touching it is an alarm."""


class RoutePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A way out of the jail to a model's interface; the guard holds the key."""

    name: str
    kind: Literal["openai", "anthropic"]
    upstream: str
    """Address of the provider, such as https://api.openai.com."""
    key_variable: str = ""
    """Environment variable of the supervisor that holds the key; empty: none is sent."""


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


class LedgerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How the ledger is kept."""

    sign_every: int = 100
    sync: Literal["each", "batch", "never"] = "batch"
    anchor: str | None = None
    """Folder for the heads, out of the agent's reach; None: beside the run's folder."""
    limit: int = 4 * 1024**3
    """Bytes; an act that comes after them is refused, and the run is stopped."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """All of a policy file."""

    name: str = "agent"
    jail: JailPolicy
    watchdog: WatchdogPolicy = WatchdogPolicy()
    rules: tuple[Rule, ...] = ()
    models: tuple[RoutePolicy, ...] = ()
    mcp: tuple[McpServer, ...] = ()
    resources: tuple[tuple[str, Need], ...] = ()
    goal: GoalPolicy = GoalPolicy()
    ladder: tuple[tuple[str, Level], ...] = ()
    """The highest level that each alarm may lead to."""
    own_programs: tuple[str, ...] = ()
    """Programs that the agent's own code starts without a model's word: names or whole paths."""
    shutdown: ShutdownPolicy = ShutdownPolicy()
    ledger: LedgerPolicy = LedgerPolicy()
    sha256: str = ""
    """Hash of the file's bytes."""
