"""The kill switch proven again and again beside a long run, and the last proof published.

Each proof is made by a process of its own: a supervisor's threads end, and a jail dies with the
thread that made it. All runs of a user publish in one place, so that a proof is due only when none
of them has made one for so long.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import final

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.drills.canary_kill import KillProof, proof_age, read_proof, write_proof
from offswitch.guard.drills.drill import Note

__all__ = ["NOT_PROVEN", "PROVEN", "PeriodicProof", "proof_by_process"]

PROVEN, NOT_PROVEN = "kill switch proven", "kill switch not proven"
_LATE_S = 60.0


@final
class PeriodicProof:
    """A thread that waits, proves and publishes until it is closed."""

    def __init__(
        self,
        every_s: float,
        path: Path,
        note: Note,
        prove: Callable[[], KillProof] | None = None,
    ) -> None:
        self._every_s, self._path, self._note = every_s, path, note
        self._prove = prove or proof_by_process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="canary", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No further proof; one that is being made is not waited for, its tree ends by itself."""
        self._over.set()

    def _work(self) -> None:
        wait = self._every_s  # the first is due after a whole interval: a short run costs none
        while not self._over.wait(wait):
            wait = self._left()
            if wait > 0.0:
                continue  # another run has proven it meanwhile
            proof, wait = self._prove(), self._every_s
            if self._over.is_set():
                return
            with contextlib.suppress(OSError):  # a full disk hides no failure: it is noted here
                write_proof(proof, self._path)
            self._tell(proof)

    def _left(self) -> float:
        """Seconds until a proof is due."""
        try:
            age = proof_age(read_proof(self._path), self._every_s).seconds
        except GuardError:
            age = None
        return 0.0 if age is None else self._every_s - age

    def _tell(self, proof: KillProof) -> None:
        told = {"victims": proof.victims, "seconds": proof.seconds, "ways": list(proof.ways)}
        if proof.verified:
            self._note(PROVEN, told)
            return
        evidence = f"the canary was not proven dead: {proof.problem}"
        alarm = {"detector": "kill-switch", "level": "observe", "evidence": evidence}
        self._note(NOT_PROVEN, {**alarm, **told})


def proof_by_process() -> KillProof:
    """One proof, made by `python -m offswitch.guard.drills`; a failed one where it said nothing."""
    command = [sys.executable, "-I", "-m", "offswitch.guard.drills"]
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=_LATE_S, start_new_session=True
        )
        return msgspec.json.decode(done.stdout, type=KillProof)
    except (OSError, subprocess.TimeoutExpired, ValueError) as problem:
        return KillProof(
            verified=False, victims=0, seconds=None, ways=(), problem=f"no proof came: {problem}"
        )
