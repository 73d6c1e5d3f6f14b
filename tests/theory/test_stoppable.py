"""Whether an agent can be stopped, against policies tried one by one."""

from __future__ import annotations

import dataclasses
import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.stoppability.stop_question import Escape, StopCertificate
from offswitch.theory.stoppability.stoppable import stoppable
from offswitch.theory.stoppability.verify_stop import verify_stop

few = settings(max_examples=80, deadline=None, derandomize=True)
STATES = 4


@st.composite
def questions(draw: st.DrawFn) -> tuple[FiniteMDP, np.ndarray]:
    """A process of 4 states with sure steps and coins, and where a stop takes effect in it."""
    state = st.integers(0, STATES - 1)
    rows: list[tuple[int, int, int, float]] = []
    for source in range(STATES):
        for action in range(draw(st.integers(1, 2))):
            first, second = draw(state), draw(state)
            chance = draw(st.sampled_from([0.5, 0.25])) if first != second else 0.5
            rows += [(source, action, first, chance), (source, action, second, 1 - chance)]
    if draw(st.booleans()):
        stop = np.array(draw(st.lists(st.booleans(), min_size=STATES, max_size=STATES)))
    else:
        stop = np.array(draw(st.lists(st.booleans(), min_size=2 * STATES, max_size=2 * STATES)))
        stop = stop.reshape(STATES, 2)
    return FiniteMDP.from_coo(STATES, 2, rows), stop


def parts(mdp: FiniteMDP, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """stopped [S], pressed [S, A]"""
    if stop.ndim == 1:
        return stop, np.zeros((STATES, 2), dtype=bool)
    return np.zeros(STATES, dtype=bool), stop & mdp.available


def policies(mdp: FiniteMDP):
    return itertools.product(*(np.flatnonzero(row).tolist() for row in mdp.available))


def with_sink(mdp: FiniteMDP, stop: np.ndarray, policy: tuple[int, ...]) -> np.ndarray:
    """[S + 1, S + 1] the chain of a policy in which being stopped is a state of its own."""
    stopped, pressed = parts(mdp, stop)
    chain = np.zeros((STATES + 1, STATES + 1))
    dense = mdp.matrix.toarray().reshape(STATES, 2, STATES)
    for state, act in enumerate(policy):
        if stopped[state] or pressed[state, act]:
            chain[state, STATES] = 1
        else:
            chain[state, :STATES] = dense[state, act]
    chain[STATES, STATES] = 1
    return chain


def least_ever(mdp: FiniteMDP, stop: np.ndarray) -> np.ndarray:
    """[S] least probability of ever being stopped, over deterministic stationary policies."""
    powers = (np.linalg.matrix_power(with_sink(mdp, stop, p), 2**14) for p in policies(mdp))
    return np.min([power[:STATES, STATES] for power in powers], axis=0)


def least_within(mdp: FiniteMDP, stop: np.ndarray, steps: int, operator: np.ndarray) -> np.ndarray:
    """[S] least probability of being stopped within so many steps, by recursion on histories."""
    stopped, pressed = parts(mdp, stop)

    def value(state: int, left: int) -> float:
        if stopped[state]:
            return 1.0
        if left == 0:
            return 0.0
        worth = [
            1.0 if pressed[state, act]
            else sum(p * value(int(to), left - 1)
                     for to, p in zip(*mdp.successors(state, act), strict=True))
            for act in np.flatnonzero(mdp.available[state]).tolist()
        ]  # fmt: skip
        return max(worth) if operator[state] else min(worth)

    return np.array([value(state, steps) for state in range(STATES)])


@pytest.mark.slow
@few
@given(questions())
def test_it_is_stoppable_for_ever_exactly_where_no_policy_escapes(question):
    mdp, stop = question
    least = least_ever(mdp, stop)
    for states in (np.ones(STATES, dtype=bool), *np.eye(STATES, dtype=bool)):
        found = stoppable(mdp, stop, states=states)
        assert isinstance(found, StopCertificate) == bool((least[states] > 1 - 1e-6).all())
        assert verify_stop(mdp, stop, found, states=states) == (True, ())
        if isinstance(found, Escape):
            chain = with_sink(mdp, stop, tuple(np.maximum(found.policy, 0)))
            assert np.linalg.matrix_power(chain, 2**14)[found.trace[0], STATES] < 1 - 1e-6


@pytest.mark.slow
@few
@given(questions(), st.integers(0, 5), st.lists(st.booleans(), min_size=4, max_size=4))
def test_it_is_stoppable_within_h_steps_exactly_where_no_history_takes_longer(question, h, whose):
    (mdp, stop), operator, everywhere = question, np.array(whose), np.ones(STATES, dtype=bool)
    asked = {"within": h, "states": everywhere, "operator": operator}
    found = stoppable(mdp, stop, **asked)
    least = least_within(mdp, stop, h, operator)
    assert isinstance(found, StopCertificate) == bool((least > 1 - 1e-12).all())
    assert verify_stop(mdp, stop, found, **asked) == (True, ())
    if isinstance(found, StopCertificate):
        assert found.steps <= h
        tight = stoppable(mdp, stop, within=found.steps, states=everywhere, operator=operator)
        assert isinstance(tight, StopCertificate)
        if found.steps:
            assert (least_within(mdp, stop, found.steps - 1, operator) < 1 - 1e-12).any()
    elif found.loop is None:
        assert len(found.trace) == h + 1


@pytest.mark.slow
@few
@given(questions(), st.integers(0, 4), st.floats(0.05, 0.95), st.booleans())
def test_the_least_probability_is_bounded_from_below_and_attained(question, h, asked, limited):
    mdp, stop = question
    here = np.arange(STATES) == 0
    nobody = np.zeros(STATES, dtype=bool)
    least = least_within(mdp, stop, h, nobody)[0] if limited else least_ever(mdp, stop)[0]
    options = {"within": h if limited else None, "probability": asked, "states": here}
    if abs(least - asked) < 1e-6:
        return
    found = stoppable(mdp, stop, **options)
    assert isinstance(found, StopCertificate) == (least > asked)
    assert found.probability == pytest.approx(least, abs=1e-9)
    assert found.probability <= least + 1e-15
    assert verify_stop(mdp, stop, found, **options) == (True, ())


@pytest.mark.slow
@few
@given(questions(), st.lists(st.booleans(), min_size=4, max_size=4))
def test_with_an_operator_it_is_almost_sure_exactly_where_no_plan_of_the_agent_escapes(
    question, whose
):
    (mdp, stop), operator = question, np.array(whose)
    # Both sides have optimal plans without memory in such games, so trying those is enough.
    best = np.zeros(STATES)
    acts = [np.flatnonzero(row).tolist() for row in mdp.available]
    for plan in itertools.product(*(a if o else [-1] for a, o in zip(acts, whose, strict=True))):
        answers = itertools.product(
            *([p] if o else a for p, o, a in zip(plan, whose, acts, strict=True))
        )
        worst = np.min([
            np.linalg.matrix_power(with_sink(mdp, stop, policy), 2**14)[:STATES, STATES]
            for policy in answers
        ], axis=0)  # fmt: skip
        best = np.maximum(best, worst)
    for states in (np.ones(STATES, dtype=bool), *np.eye(STATES, dtype=bool)):
        found = stoppable(mdp, stop, states=states, operator=operator)
        assert isinstance(found, StopCertificate) == bool((best[states] > 1 - 1e-6).all())
        assert verify_stop(mdp, stop, found, states=states, operator=operator) == (True, ())


@pytest.mark.slow
@few
@given(questions(), st.randoms(use_true_random=False))
def test_a_changed_certificate_is_rejected_where_it_no_longer_shows_the_claim(question, random):
    mdp, stop = question
    everywhere = np.ones(STATES, dtype=bool)
    found = stoppable(mdp, stop, states=everywhere)
    if isinstance(found, Escape):
        other = StopCertificate(
            "almost-surely", 1.0, None, np.array([random.randrange(4) for _ in range(4)]), None,
            np.full(4, -1),
        )  # fmt: skip
        assert not verify_stop(mdp, stop, other, states=everywhere).valid
        return
    rank = found.rank.copy()
    rank[random.randrange(4)] = -1
    assert not verify_stop(
        mdp, stop, dataclasses.replace(found, rank=rank), states=everywhere
    ).valid
    nothing = np.zeros(STATES, dtype=bool)
    assert not verify_stop(mdp, nothing, found, states=everywhere).valid


@pytest.mark.slow
@few
@given(questions(), st.floats(0.1, 0.9))
def test_a_bound_raised_above_the_truth_is_rejected(question, asked):
    mdp, stop = question
    here = np.arange(STATES) == 0
    least = least_ever(mdp, stop)[0]
    if least < asked + 1e-3 or least > 1 - 1e-3:
        return
    found = stoppable(mdp, stop, probability=asked, states=here)
    lower = found.lower.copy()
    lower[0, 0] = least + 5e-4
    raised = dataclasses.replace(found, lower=lower, probability=float(lower[0, 0]))
    assert not verify_stop(mdp, stop, raised, probability=asked, states=here).valid


def test_a_number_that_only_bounds_itself_is_no_bound():
    loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    idle = StopCertificate("with-probability", 0.9, None, None, np.array([[0.9]]), np.array([-1]))
    verdict = verify_stop(loop, [False], idle, probability=0.5)
    assert verdict.problems == ("a bound is positive where the agent can stay away for ever",)


def corridor(length: int) -> FiniteMDP:
    """Forward or wait in each cell; the last cell is the end."""
    forward = [(cell, 0, min(cell + 1, length), 1.0) for cell in range(length + 1)]
    wait = [(cell, 1, cell, 1.0) for cell in range(length)]
    return FiniteMDP.from_coo(length + 1, 2, [*forward, *wait])


def test_an_agent_that_may_wait_before_the_switch_is_not_stoppable_and_the_wait_is_the_escape():
    found = stoppable(corridor(3), [False, False, False, True])
    assert isinstance(found, Escape)
    assert (found.trace, found.loop) == ((0, 1, 2), 2)
    assert found.policy.tolist() == [0, 0, 1, -1]


def test_the_number_of_steps_is_the_longest_way():
    line = FiniteMDP.from_graph(nx.path_graph(6, create_using=nx.DiGraph))
    found = stoppable(line, np.arange(6) == 5, within=5)
    assert (found.claim, found.steps, found.rank.tolist()) == ("surely", 5, [5, 4, 3, 2, 1, 0])
    late = stoppable(line, np.arange(6) == 5, within=4)
    assert late.trace == (0, 1, 2, 3, 4)


def test_an_act_during_which_the_order_takes_effect_counts_as_one_step():
    stop = np.zeros((4, 2), dtype=bool)
    stop[:, 1] = True
    stop[3] = True
    stop[:, 0] |= [False, False, True, True]
    found = stoppable(corridor(3), stop, within=3)
    assert found.rank.tolist() == [3, 2, 1, 1]


def test_a_coin_that_may_keep_failing_is_almost_sure_and_not_within_any_number_of_steps():
    coin = FiniteMDP.from_coo(2, 1, [(0, 0, 0, 0.5), (0, 0, 1, 0.5), (1, 0, 1, 1)])
    stop = np.array([False, True])
    found = stoppable(coin, stop)
    assert (found.claim, found.steps) == ("almost-surely", None)
    bold = dataclasses.replace(found, claim="surely", steps=1)
    assert verify_stop(coin, stop, found).valid
    assert not verify_stop(coin, stop, bold).valid
    assert not verify_stop(coin, stop, bold, within=1).valid
    assert isinstance(stoppable(coin, stop, within=50), Escape)
    half = stoppable(coin, stop, within=3, probability=0.8)
    assert half.probability == pytest.approx(7 / 8, abs=1e-12)


def test_the_operators_turns_are_used_for_the_stop():
    turns = FiniteMDP.from_coo(3, 2, [(0, 0, 1, 1), (1, 0, 0, 1), (1, 1, 2, 1), (2, 0, 2, 1)])
    stop = np.array([False, False, True])
    assert isinstance(stoppable(turns, stop), Escape)
    mine = np.array([False, True, False])
    found = stoppable(turns, stop, operator=mine, within=2)
    assert found.operator_action.tolist() == [-1, 1, -1]


def test_a_short_way_that_may_fail_for_good_is_no_way_for_the_operator():
    risk = [(0, 0, 1, 0.5), (0, 0, 2, 0.5), (0, 1, 0, 1.0), (1, 0, 1, 1.0), (2, 0, 2, 1.0)]
    game = FiniteMDP.from_coo(3, 2, risk)
    here, mine = np.array([True, False, False]), np.array([True, False, False])
    stop = np.array([False, True, False])
    assert isinstance(stoppable(game, stop, states=here, operator=mine), Escape)
    safe = FiniteMDP.from_coo(3, 2, [*risk[:2], (0, 1, 0, 0.9), (0, 1, 1, 0.1), *risk[3:]])
    found = stoppable(safe, stop, states=here, operator=mine)
    assert (found.claim, found.operator_action[0]) == ("almost-surely", 1)


def test_states_that_nobody_reaches_are_not_asked_about_unless_named():
    loops = FiniteMDP.from_coo(2, 1, [(0, 0, 0, 1), (1, 0, 1, 1)])
    assert isinstance(stoppable(loops, [True, False]), StopCertificate)
    assert isinstance(stoppable(loops, [True, False], states=[True, True]), Escape)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stop": [True]}, r"stop has shape \(1,\) of bool, expected \[S\] = \[4\]"),
        ({"stop": [0, 0, 0, 1]}, "of int64, expected"),
        ({"within": -1}, "within is -1, expected a whole number of steps"),
        ({"within": 1.5}, "within is 1.5"),
        ({"probability": 0}, r"probability is 0, expected a number in \(0, 1\]"),
        ({"probability": float("nan")}, "probability is nan"),
        ({"states": [True]}, "states has shape"),
        ({"operator": [1, 0, 0, 0]}, "operator has shape"),
        ({"probability": 0.5, "operator": [True] * 4}, "give a number of steps"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ModelError, match=message):
        stoppable(corridor(3), **{"stop": [False, False, False, True], **arguments})


def test_a_probability_too_close_to_call_is_not_called():
    coin = FiniteMDP.from_coo(3, 1, [(0, 0, 1, 0.1), (0, 0, 2, 0.9), (1, 0, 1, 1), (2, 0, 2, 1)])
    with pytest.raises(ModelError, match="too close to decide"):
        stoppable(coin, [False, True, False], probability=0.1, states=[True, False, False])
