"""A long run proves its kill switch now and then, unless another has, and says when it cannot."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from offswitch.guard.drills.canary_kill import KillProof, read_proof, write_proof
from offswitch.guard.drills.periodic_proof import NOT_PROVEN, PROVEN, PeriodicProof
from offswitch.guard.stop.processes import boot_id

GOOD = KillProof(verified=True, victims=21, seconds=0.01, ways=("namespace",), boot=boot_id())


class Beside:
    """A periodic proof whose kills are played."""

    def __init__(self, path: Path, proof: KillProof, every_s: float = 0.01) -> None:
        self.notes: list[tuple[str, Mapping[str, Any]]] = []
        self.noted, self.asked = threading.Event(), 0
        self.proof = proof
        self.proofs = PeriodicProof(every_s, path, self.note, self.prove)

    def prove(self) -> KillProof:
        self.asked += 1
        return self.proof

    def note(self, kind: str, detail: Mapping[str, Any]) -> None:
        self.notes.append((kind, detail))
        self.noted.set()


def test_a_proof_is_made_published_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "state" / "canary.json"
    one = Beside(path, GOOD)
    assert one.noted.wait(60)
    one.proofs.close()
    assert one.notes[0] == (PROVEN, {"victims": 21, "seconds": 0.01, "ways": ["namespace"]})
    assert read_proof(path) == GOOD


def test_a_kill_that_fails_is_an_alarm_in_the_ledger_and_published_as_failed(
    tmp_path: Path,
) -> None:
    failed = msgspec.structs.replace(GOOD, verified=False, problem="survivors (7,)")
    one = Beside(tmp_path / "canary.json", failed)
    assert one.noted.wait(60)
    one.proofs.close()
    kind, told = one.notes[0]
    assert (kind, told["detector"]) == (NOT_PROVEN, "kill-switch")
    assert "survivors (7,)" in told["evidence"]
    found = read_proof(tmp_path / "canary.json")
    assert found is not None
    assert not found.verified


def test_no_second_proof_is_made_while_another_runs_is_fresh(tmp_path: Path) -> None:
    fresh = msgspec.structs.replace(GOOD, monotonic=time.monotonic() + 1000.0)
    write_proof(fresh, tmp_path / "canary.json")
    one = Beside(tmp_path / "canary.json", GOOD)
    time.sleep(0.05)
    one.proofs.close()
    assert one.asked == 0
