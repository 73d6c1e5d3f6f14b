"""The kill switch proves itself on a tree that lives, or says that it did not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from offswitch.errors import GuardError
from offswitch.guard.drills import canary_kill
from offswitch.guard.drills.canary_kill import (
    DAEMONS,
    KillProof,
    proof_age,
    prove_kill,
    read_proof,
    write_proof,
)
from offswitch.guard.jail.host import Host, inspect_host
from offswitch.guard.stop.kill import KillResult, kill_tree
from offswitch.guard.stop.launch import Target
from offswitch.guard.stop.processes import boot_id, has_mark, living


@pytest.fixture(scope="module")
def host() -> Host:
    return inspect_host()


@pytest.mark.slow
def test_a_living_tree_of_daemons_is_killed_for_real_and_nothing_of_it_is_left(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[int] = []

    def counted(target: Target, deadline: float) -> KillResult:
        alive.append(marked(target))
        result = kill_tree(target, deadline)
        alive.append(marked(target))
        return result

    monkeypatch.setattr(canary_kill, "kill_tree", counted)
    proof = prove_kill(host, deadline_s=5.0)
    assert proof.verified, proof.problem
    assert alive[0] > DAEMONS
    assert alive[1] == 0
    assert proof.victims > DAEMONS
    assert proof.seconds is not None
    assert 0 < proof.seconds < 5.0
    assert "namespace" in proof.ways


def marked(target: Target) -> int:
    return sum(has_mark(one.pid, target.marks) for one in living())


@pytest.mark.slow
def test_a_kill_that_does_not_kill_is_no_proof(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    survivors = KillResult(verified=False, seconds=0.1, steps=(), survivors=(7,))
    monkeypatch.setattr(canary_kill, "kill_tree", lambda target, deadline: survivors)
    proof = prove_kill(host)
    assert not proof.verified
    assert "survivors (7,)" in proof.problem


@pytest.mark.slow
def test_a_tree_that_was_dead_already_proves_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary_kill, "members", lambda target: ())
    proof = prove_kill(host)
    assert not proof.verified
    assert "only 0 of more than" in proof.problem


def test_without_bubblewrap_the_switch_is_not_called_proven(host: Host) -> None:
    proof = prove_kill(msgspec.structs.replace(host, bubblewrap=None))
    assert not proof.verified
    assert proof.problem.startswith("not enforceable")
    assert "apt install bubblewrap" in proof.problem


def test_a_proof_is_fresh_for_twice_its_interval_and_never_in_another_boot() -> None:
    proof = KillProof(verified=True, victims=21, seconds=0.02, ways=("namespace",),
                      boot=boot_id(), monotonic=1000.0)  # fmt: skip
    assert proof_age(proof, 60.0, now=1100.0) == (100.0, False)
    assert proof_age(proof, 60.0, now=1121.0) == (121.0, True)
    assert proof_age(proof, 60.0, now=1001.0, boot="another") == (None, True)
    failed = msgspec.structs.replace(proof, verified=False)
    assert proof_age(failed, 60.0, now=1001.0) == (None, True)
    assert proof_age(None, 60.0) == (None, True)


def test_what_is_published_reads_back_and_rubbish_is_no_proof(tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    assert read_proof(path) is None
    proof = KillProof(verified=True, victims=21, seconds=0.02, ways=("namespace",))
    write_proof(proof, path)
    assert read_proof(path) == proof
    path.write_text("{}")
    with pytest.raises(GuardError, match="no proof"):
        read_proof(path)


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="becomes an ordinary user from root")
def test_an_ordinary_user_can_prove_it_too() -> None:
    code = (
        "import os, msgspec\nfrom offswitch.guard.drills.canary_kill import prove_kill\n"
        "os.setgroups([]); os.setresgid(4242, 4242, 4242); os.setresuid(4242, 4242, 4242)\n"
        "print(msgspec.json.encode(prove_kill(deadline_s=5.0)).decode())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, cwd="/", timeout=60
    )
    assert said.returncode == 0, said.stderr
    proof = msgspec.json.decode(said.stdout, type=KillProof)
    assert proof.verified, proof.problem
    assert proof.ways == ("namespace",)
