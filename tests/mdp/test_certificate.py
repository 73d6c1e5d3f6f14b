"""The certificate of any guess, not only the solver's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_processes import KINDS, random_process, random_reward
from rational import rational_optimum

from offswitch.errors import ModelError
from offswitch.mdp.advantages import advantages
from offswitch.mdp.certificate import certificate
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.task import checked_task


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sampled_from(KINDS), st.integers(0, 10**6), st.floats(-12, 2))
def test_any_guess_is_within_its_certificate(kind, seed, exponent):
    mdp = random_process(kind, seed, n_states=4, n_actions=2)
    reward = random_reward(mdp, "act", seed, n_goals=1)
    truth = np.array([float(t) for t in rational_optimum(mdp, reward[0], 0.95)])
    noise = 10**exponent * np.random.default_rng(seed).standard_normal(4)
    bound = certificate(mdp, reward, (truth + noise)[None], 0.95)[0]
    assert np.abs(noise).max() <= bound * (1 + 1e-12) + 1e-14
    assert bound <= np.abs(noise).max() * 1.95 / 0.05 + 1e-12


def test_advantages_keep_digits_that_plain_sums_lose():
    loop = FiniteMDP.from_coo(2, 1, [(0, 0, 1, 1.0), (1, 0, 0, 1.0)])
    task = checked_task(loop, [1e-13, 0.0], 0.5, None)
    high = np.array([[1e4, 2e4]])
    assert advantages(task, high, np.zeros((1, 2)))[0, 0, 0] == 1e-13
    assert 1e-13 + 0.5 * 2e4 - 1e4 == 0
    low = np.array([[0.0, 1e-14]])
    assert advantages(task, high, low)[0, 0, 0] == pytest.approx(1.05e-13, rel=1e-12)


def test_a_value_of_the_wrong_shape_is_refused():
    loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    with pytest.raises(ModelError, match=r"value has shape \(1,\), expected \[K, S\] = \[1, 1\]"):
        certificate(loop, [1.0], [2.0], 0.5)
    with pytest.raises(ModelError, match="finite numbers"):
        certificate(loop, [1.0], [[np.nan]], 0.5)
