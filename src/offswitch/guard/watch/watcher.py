"""All runs of this user, looked at again and again. It only reads and asks for status."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias, final, get_args

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.drills.canary_kill import CANARY, KillProof, proof_age, read_proof
from offswitch.guard.supervisor.runs import Condition, RunEntry, list_runs, runs_folder
from offswitch.guard.watch.ledger_view import LedgerFollower
from offswitch.guard.watch.run_view import RunView, look_at_run

__all__ = ["Choose", "Look", "Watcher"]

PROOF_EVERY_S = 3600.0
LEDGER = "ledger.jsonl"
FOLLOWED = 32
"""Ledgers that are followed at one time; one beyond them is read from its start again."""
AT_ONCE = 8

Choose: TypeAlias = Callable[[tuple[RunEntry, ...]], Iterable[RunEntry]]
"""Which of all runs, in the order of their names, to look at."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """All runs at one moment."""

    runs: tuple[RunView, ...]
    """Those asked for, oldest name first."""
    conditions: dict[str, int]
    """Condition -> how many runs there are in all."""
    canary: KillProof | None
    """The last proof of a kill; None where none was ever published."""
    canary_age_s: float | None
    """Seconds since it; None where it failed, or was in another boot."""
    problem: str
    """What kept this look from being whole; empty where nothing did."""


@final
class Watcher:
    """Looks at runs from any thread, one look at a time."""

    def __init__(self, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder if folder is not None else runs_folder()
        self._clock, self._lock, self._order = clock, threading.Lock(), threading.Lock()
        self._followed: OrderedDict[str, LedgerFollower] = OrderedDict()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="watch")

    def look(self, choose: Choose = lambda entries: entries) -> Look:
        """The runs that `choose` takes of all. O(runs + new bytes of their ledgers)."""
        with self._lock:
            problem, entries = "", tuple[RunEntry, ...]()
            try:
                entries = list_runs(self._folder)
            except (GuardError, OSError) as error:
                problem = str(error)
            runs = tuple(self._pool.map(self._one, choose(entries)))
            proof, trouble = self._canary()
            found = Counter(entry.condition for entry in entries)
            return Look(
                runs=runs,
                conditions={name: found[name] for name in get_args(Condition)},
                canary=proof,
                canary_age_s=proof_age(proof, PROOF_EVERY_S).seconds,
                problem="; ".join(filter(None, (problem, trouble))),
            )

    def entries(self) -> tuple[RunEntry, ...]:
        """Every run, without asking any. Raises: GuardError where one's state is unreadable."""
        return list_runs(self._folder)

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _one(self, entry: RunEntry) -> RunView:
        return look_at_run(entry, self._follower(entry).look(self._clock()))

    def _follower(self, entry: RunEntry) -> LedgerFollower:
        name = entry.run.id
        with self._order:
            found = self._followed.pop(name, None) or LedgerFollower(entry.run.folder / LEDGER)
            self._followed[name] = found
            while len(self._followed) > FOLLOWED:
                self._followed.popitem(last=False)
        return found

    def _canary(self) -> tuple[KillProof | None, str]:
        try:
            return read_proof(self._folder.parent / CANARY), ""
        except GuardError as error:
            return None, str(error)
