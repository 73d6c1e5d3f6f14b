"""Guarded runs in Prometheus' text format. What nobody measured has no sample; it is never 0."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple  # Any: the module of an optional package

from offswitch.errors import GuardError
from offswitch.guard.stop.stopped import STOPPED
from offswitch.guard.supervisor.ladder import Level
from offswitch.guard.supervisor.runs import RESULT, RunEntry
from offswitch.guard.watch.run_view import RunView
from offswitch.guard.watch.shown import shown
from offswitch.guard.watch.watcher import Choose, Look

__all__ = ["FAMILIES", "Family", "metrics_text", "recent"]

PHASES = ("starting", "running", "paused", "stopping", "halted", "ended", "killed", "dead")
RECENT_S = 3600.0
_LIVING = ("starting", "running")
MISSING = "prometheus-client is not installed. Run: pip install 'offswitch[ops]'"

Samples = Iterable[tuple[tuple[str, ...], float | None]]


class Family(NamedTuple):
    """One metric."""

    name: str
    kind: str
    """gauge, or counter: it falls only when another ledger begins."""
    text: str
    labels: tuple[str, ...]
    """Beside `run`."""
    samples: Callable[[RunView], Samples]
    """Values of the labels, and the value; None is left out."""


def metrics_text(look: Look) -> bytes:
    """The look as Prometheus reads it.

    Raises:
        GuardError: prometheus-client is not installed.
    """
    try:
        client: Any = importlib.import_module("prometheus_client")
        core: Any = importlib.import_module("prometheus_client.core")
    except ImportError as problem:
        raise GuardError(MISSING) from problem
    registry = client.CollectorRegistry()
    registry.register(_Collector(look, core))
    text: bytes = client.generate_latest(registry)
    return text


def recent(now: float) -> Choose:
    """The runs that live or ended in the last hour: series of all that ever ran only grow."""

    def choose(entries: tuple[RunEntry, ...]) -> list[RunEntry]:
        return [entry for entry in entries if entry.condition in _LIVING or _ended(entry, now)]

    return choose


def _ended(entry: RunEntry, now: float) -> bool:
    for name in (RESULT, STOPPED):
        with contextlib.suppress(OSError):
            return now - (entry.run.folder / name).stat().st_mtime <= RECENT_S
    return False


class _Collector:
    """What prometheus-client asks for its families."""

    def __init__(self, look: Look, core: Any) -> None:
        self._look, self._core = look, core

    def collect(self) -> Iterator[Any]:
        for family in FAMILIES:
            rows = [
                ((shown(run.id), *labels), value)
                for run in self._look.runs
                for labels, value in family.samples(run)
            ]
            yield self._family(family, ("run", *family.labels), rows)
        for family, samples in _of_all(self._look):
            yield self._family(family, family.labels, samples)

    def _family(self, family: Family, labels: Sequence[str], rows: Samples) -> Any:
        kind = getattr(self._core, f"{family.kind.capitalize()}MetricFamily")
        found = kind(family.name, family.text, labels=labels)
        for values, value in rows:
            if value is not None:
                found.add_metric(values, value)
        return found


def _one(value: Callable[[RunView], float | None]) -> Callable[[RunView], Samples]:
    return lambda run: [((), value(run))]


def _phase(run: RunView) -> Samples:
    return [((phase,), float(run.phase == phase)) for phase in PHASES]


def _level(run: RunView) -> float | None:
    name = run.level.upper()
    return float(Level[name]) if name in Level.__members__ else None


def _info(run: RunView) -> Samples:
    statement = run.ledger.opened.get("statement")
    if not isinstance(statement, Mapping):
        return []
    policy = statement.get("policy")
    policy = policy if isinstance(policy, Mapping) else {}
    texts = (statement.get("program"), policy.get("name"), policy.get("sha256"),
             statement.get("tier"))  # fmt: skip
    return [(tuple("" if one is None else shown(str(one), 100) for one in texts), 1.0)]


def _flag(value: bool | None) -> float | None:
    return None if value is None else float(value)


def _answers(run: RunView) -> bool:
    return run.guards is not None and run.guards.answers


def _kill(run: RunView, name: str) -> float | None:
    kill = run.result.get("kill")
    value = kill.get(name) if isinstance(kill, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def _verified(run: RunView) -> float | None:
    """The supervisor's proof, else the watchdog's; none of an unfinished run."""
    found = run.result.get("verified")
    return _flag(found) if isinstance(found, bool) else _kill(run, "verified")


FAMILIES: tuple[Family, ...] = (
    Family("offswitch_run_info", "gauge", "Program, policy and tier of the run.",
           ("program", "policy", "policy_sha256", "tier"), _info),
    Family("offswitch_run_phase", "gauge", "1 for the phase that the run is in.",
           ("phase",), _phase),
    Family("offswitch_run_level", "gauge",
           "Level of the ladder: 0 observe, 1 ask, 2 throttle, 3 freeze, 4 kill.", (),
           _one(_level)),
    Family("offswitch_run_seconds", "gauge", "Age of the run, or its length.", (),
           _one(lambda run: run.seconds)),
    Family("offswitch_supervisor_answers", "gauge", "1 if the run's supervisor answered.", (),
           _one(lambda run: _flag(run.guards.answers if run.guards else None))),
    Family("offswitch_supervisor_heartbeat_age_seconds", "gauge",
           "Since the supervisor's last heartbeat, as the watchdog says.", (),
           _one(lambda run: run.guards.supervisor_silence_s if run.guards else None)),
    Family("offswitch_watchdog_heartbeat_age_seconds", "gauge",
           "Since the watchdog's last heartbeat, as the supervisor says.", (),
           _one(lambda run: run.guards.watchdog_silence_s if run.guards else None)),
    Family("offswitch_lease_seconds", "gauge", "Until the watchdog stops the run.", (),
           _one(lambda run: run.guards.lease_s if run.guards else None)),
    Family("offswitch_ledger_records", "gauge", "Records of the ledger.", (),
           _one(lambda run: float(run.ledger.records) if run.ledger.opened else None)),
    Family("offswitch_ledger_anchored_records", "gauge",
           "Records that the last noted head binds.", (),
           _one(lambda run: None if run.anchored is None else float(run.anchored))),
    Family("offswitch_ledger_head_age_seconds", "gauge", "Since the ledger was last written.", (),
           _one(lambda run: run.ledger.age_s)),
    Family("offswitch_ledger_chain_holds", "gauge",
           "1 while every line continues what was read before.", (),
           _one(lambda run: _flag(not run.ledger.problem if run.ledger.opened else None))),
    Family("offswitch_processes", "gauge", "Processes of the run (and threads, in a group).", (),
           _one(lambda run: run.uses.processes)),
    Family("offswitch_memory_bytes", "gauge", "Memory of the run.", (),
           _one(lambda run: run.uses.memory)),
    Family("offswitch_cpu_seconds", "gauge", "Processor time of the run.", (),
           _one(lambda run: run.uses.cpu_s)),
    Family("offswitch_alarms", "counter",
           "Alarms: of a detector itself, and moves of the ladder upwards that it caused.",
           ("source", "detector"),
           lambda run: [(key, float(count)) for key, count in run.ledger.alarms.items()]),
    Family("offswitch_oversight_events", "counter",
           "Acts by which the agent weakened oversight, by kind.", ("kind",),
           lambda run: [((key,), float(count)) for key, count in run.ledger.events.items()]),
    Family("offswitch_acts", "counter", "Acts that the agent proposed, by verdict.", ("verdict",),
           lambda run: [((key,), float(count)) for key, count in run.ledger.acts.items()]),
    Family("offswitch_acts_waiting", "gauge", "Acts that wait for an operator's answer.", (),
           _one(lambda run: float(len(run.waiting)) if _answers(run) else None)),
    Family("offswitch_kill_seconds", "gauge", "From the decision to the proof of the last kill.",
           (), _one(lambda run: _kill(run, "seconds"))),
    Family("offswitch_kill_verified", "gauge", "1 if the whole tree was proven empty.", (),
           _one(_verified)),
)  # fmt: skip
"""Every metric of a run, in the order of the text."""


def _none(run: RunView) -> Samples:
    return ()


def _of_all(look: Look) -> Iterator[tuple[Family, Samples]]:
    family = Family("offswitch_runs", "gauge", "Runs there are, by condition.", ("condition",),
                    _none)  # fmt: skip
    yield family, [((name,), float(count)) for name, count in look.conditions.items()]
    if (proof := look.canary) is None:
        return
    for name, text, value in (
        ("verified", "1 if the last canary tree was proven dead.", float(proof.verified)),
        ("seconds", "From the decision to the proof on the last canary.", proof.seconds),
        ("age_seconds", "Since the last verified kill of a canary.", look.canary_age_s),
    ):
        yield Family(f"offswitch_canary_kill_{name}", "gauge", text, (), _none), [((), value)]
