"""A Ray cluster changes where goals are solved and nothing else.

The one process goes first: then both workers find on disk what it has compiled.
"""

from __future__ import annotations

import numpy as np
import pytest
from power_processes import chance, grid

from offswitch.mdp.batched.executor import Executor
from offswitch.theory.optimality import optimality
from offswitch.theory.power import power

ONE = Executor(workers=1)
TWO_ON_A_CLUSTER = Executor("ray", workers=2)
pytestmark = pytest.mark.usefixtures("cluster")


@pytest.mark.slow
@pytest.mark.parametrize("mdp", [grid(6), chance(30)], ids=["deterministic", "chance"])
@pytest.mark.parametrize("variance_reduction", [True, False])
def test_two_ray_workers_give_the_power_of_one_process_byte_for_byte(mdp, variance_reduction):
    def ends(executor: Executor) -> bytes:
        found = power(
            mdp, discount=0.95, half_width=0.004, seed=3, executor=executor,
            variance_reduction=variance_reduction,
        )  # fmt: skip
        return np.concatenate(
            [found.estimate, found.low, found.high, found.simultaneous_low, found.parts.ravel()]
        ).tobytes() + bytes(str((found.n, found.method)), "utf-8")

    alone = ends(ONE)
    assert ends(TWO_ON_A_CLUSTER) == alone


@pytest.mark.slow
def test_two_ray_workers_give_the_optimality_of_one_process_byte_for_byte():
    mdp = chance(30)
    tagged = np.zeros((30, 3), np.bool_)
    tagged[2, 1] = True

    def counts(executor: Executor) -> bytes:
        found = optimality(
            mdp, discount=0.9, samples=640, seed=5, tagged=tagged, executor=executor
        )  # fmt: skip
        return found.counts.tobytes() + found.near.tobytes() + bytes(str(found.tagged), "utf-8")

    alone = counts(ONE)
    assert counts(TWO_ON_A_CLUSTER) == alone
