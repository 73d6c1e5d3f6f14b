"""Laws of being stoppable: what can only help the operator never hurts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from orbits import small_processes

from offswitch.mdp.hitting import hitting_probability
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy import checked_policy
from offswitch.theory.stoppability.stop_question import Escape, StopCertificate
from offswitch.theory.stoppability.stoppable import stoppable
from offswitch.theory.stoppability.verify_stop import verify_stop

few = settings(max_examples=40, deadline=None, derandomize=True)
MASKS = st.lists(st.booleans(), min_size=5, max_size=5).map(np.array)
EVERYWHERE = np.ones(5, dtype=bool)


def holds(mdp: FiniteMDP, stop: np.ndarray, **asked: object) -> bool:
    found = stoppable(mdp, stop, states=EVERYWHERE, **asked)
    assert verify_stop(mdp, stop, found, states=EVERYWHERE, **asked) == (True, ())
    return isinstance(found, StopCertificate)


@pytest.mark.slow
@few
@given(small_processes(), MASKS, MASKS)
def test_more_places_to_stop_never_hurt(mdp, stop, more):
    for within in (None, 0, 2):
        assert holds(mdp, stop, within=within) <= holds(mdp, stop | more, within=within)


@pytest.mark.slow
@few
@given(small_processes(), MASKS, MASKS, MASKS)
def test_more_turns_of_the_operator_never_hurt(mdp, stop, mine, more):
    for within in (None, 1, 3):
        few_turns = holds(mdp, stop, within=within, operator=mine)
        assert few_turns <= holds(mdp, stop, within=within, operator=mine | more)


@pytest.mark.slow
@few
@given(small_processes(), MASKS, st.integers(0, 4))
def test_more_steps_never_hurt_and_as_many_as_there_are_states_are_enough(mdp, stop, within):
    now, later, ever = (holds(mdp, stop, within=h) for h in (within, within + 1, None))
    assert now <= later <= ever
    found = stoppable(mdp, stop, states=EVERYWHERE)
    surely = isinstance(found, StopCertificate) and found.claim == "surely"
    assert surely == holds(mdp, stop, within=4)


@pytest.mark.slow
@few
@given(small_processes(), MASKS, st.integers(1, 5), st.floats(0.1, 0.9))
def test_the_least_probability_grows_with_the_steps_towards_that_for_ever(mdp, stop, h, asked):
    def least(within: int | None) -> float:
        # Asked for so little, the answer is a certificate with its bound, or 0 but for rounding.
        return stoppable(mdp, stop, within=within, probability=1e-6).probability

    assume(least(None) > 1e-5)
    assert least(h - 1) <= least(h) + 1e-12
    assert least(h) <= least(None) + 1e-9


@pytest.mark.slow
@few
@given(small_processes(), MASKS, st.integers(0, 10**6))
def test_no_policy_drawn_at_random_beats_a_certificate(mdp, stop, seed):
    found = stoppable(mdp, stop, states=EVERYWHERE)
    assume(isinstance(found, StopCertificate))
    weights = np.random.default_rng(seed).random((5, 3)) * mdp.available
    policy = checked_policy(mdp, weights / weights.sum(axis=1, keepdims=True))
    assert hitting_probability(mdp, policy, stop).min() > 1 - 1e-9
    if found.steps is not None:
        assert hitting_probability(mdp, policy, stop, horizon=found.steps).min() > 1 - 1e-9


@pytest.mark.slow
@few
@given(small_processes(), MASKS)
def test_the_policy_of_an_escape_escapes(mdp, stop):
    found = stoppable(mdp, stop, states=EVERYWHERE)
    assume(isinstance(found, Escape))
    acts = np.where(found.policy >= 0, found.policy, mdp.available.argmax(axis=1))
    policy = np.eye(3)[acts]
    assert hitting_probability(mdp, policy, stop)[found.trace[0]] < 1 - 1e-9
