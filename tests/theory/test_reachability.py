"""Reachability, attainable utility, and how both are changes of power."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve
from offswitch.theory.impact.aup import attainable_change, aup_penalty, aup_reward, power_change
from offswitch.theory.impact.reachability import (
    reachability,
    reachability_penalty,
    relative_reachability,
)
from offswitch.theory.power_samples import power_samples
from offswitch.theory.reward_draws import sample_rewards


def vase() -> FiniteMDP:
    """0: vase on a belt; 1: saved; 2: broken. Idle (0) lets the belt break it, act (1) saves it."""
    rows = [(0, 0, 2, 1), (0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (2, 0, 2, 1), (2, 1, 2, 1)]
    return FiniteMDP.from_coo(3, 2, rows)


def test_reachability_of_a_graph_is_the_discount_to_the_distance():
    graph = nx.gnp_random_graph(12, 0.15, seed=3, directed=True)
    mdp = FiniteMDP.from_graph(graph)
    found = reachability(mdp, discount=0.8)
    away = dict(nx.all_pairs_shortest_path_length(graph))
    for x in range(12):
        for y in range(12):
            expected = 0.8 ** away[x][y] if y in away[x] else 0.0
            assert found[x, y] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("discount", [0.5, 0.95])
def test_reachability_under_chance_solves_the_first_passage_problem_of_every_target(discount):
    generator = np.random.default_rng(0)
    dense = generator.dirichlet(np.full(5, 0.4), size=(5, 3))
    dense[3, 1] = 0
    mdp = FiniteMDP.from_dense(dense)
    found = reachability(mdp, discount=discount)
    for target in range(5):
        # The target pays 1 once and then nothing: an absorbing state beside it.
        wider = np.zeros((6, 3, 6))
        wider[:5, :, :5] = dense
        wider[target] = 0
        wider[target, :, 5] = wider[5, :, 5] = 1
        exact = solve(FiniteMDP.from_dense(wider), np.eye(6)[target], discount).value[0, :5]
        assert found[:, target] == pytest.approx(exact, abs=1e-7)


def test_the_three_baselines_tell_whose_doing_it_was():
    # g = 1/2. R from the vase (1, 1/2, 1/2), saved (1/2, 1, 1/4), broken (0, 0, 1).
    mdp = vase()
    reach = reachability(mdp, discount=0.5)
    assert reach.tolist() == [[1, 0.5, 0.5], [0.5, 1, 0.25], [0, 0, 1]]
    penalties = {
        baseline: reachability_penalty(mdp, reach, [0, 2], noop=0, baseline=baseline)[0]
        for baseline in ("start", "inaction", "stepwise")
    }
    # Broken by the belt: the start baseline blames the agent that idled, the others do not.
    assert penalties == pytest.approx({"start": 1.5 / 3, "inaction": 0, "stepwise": 0})
    # Saved: compared with the broken vase only "broken" has become harder to reach.
    saved = reachability_penalty(mdp, reach, [0, 1], noop=0, baseline="inaction")
    assert saved == pytest.approx([0.75 / 3])


def test_the_inaction_baseline_rewards_undoing_one_s_own_work_and_the_stepwise_does_not():
    # Offsetting: having saved the vase, putting it back on the belt and letting it break.
    mdp = vase()
    reach = reachability(mdp, discount=0.5)
    path = [0, 1, 0, 2]
    inaction = reachability_penalty(mdp, reach, path, noop=0, baseline="inaction")
    stepwise = reachability_penalty(mdp, reach, path, noop=0, baseline="stepwise")
    assert inaction == pytest.approx([0.75 / 3, 0.5 / 3, 0])  # falls back to nothing
    assert stepwise[1] == pytest.approx(0.5 / 3)  # putting it back costs "saved"
    assert stepwise[2] == 0


def test_a_baseline_under_chance_is_an_expectation():
    rows = [(0, 0, 1, 0.5), (0, 0, 2, 0.5), (0, 1, 1, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    mdp = FiniteMDP.from_coo(3, 2, rows)
    reach = reachability(mdp, discount=0.5)
    found = reachability_penalty(mdp, reach, [0, 1], noop=0)
    assert found == pytest.approx([0.5 / 3])
    assert relative_reachability(reach, np.eye(3)[1], np.eye(3)[1]) == 0


def star_and_trap() -> FiniteMDP:
    """Idle goes to a room with three exits for ever, act 1 into a trap, act 2 to one exit."""
    graph = nx.DiGraph([("s", "room"), ("s", "trap"), ("s", "e0")])
    graph.add_edges_from(("room", f"e{n}") for n in range(3))
    return FiniteMDP.from_graph(graph)


def test_the_penalty_is_the_mean_change_of_attainable_returns_by_hand():
    mdp = star_and_trap()
    names = mdp.state_names.index
    first, second = np.zeros((2, mdp.n_states))
    first[names("e0")] = second[names("trap")] = 1
    change = attainable_change(mdp, [first, second], 0, discount=0.5)[:, 0]
    # To e0 through the room: 2 * 1/4; straight: 2 * 1/2. The trap: 1.
    assert change == pytest.approx(np.array([[0, -0.5, 0.5], [0, 1, 0]]), abs=1e-9)
    penalty = aup_penalty(mdp, [first, second], 0, discount=0.5)
    assert penalty[0] == pytest.approx([0, 0.75, 0.25], abs=1e-9)
    assert np.isnan(penalty[names("trap")]).tolist() == [False, True, True]
    shaped = aup_reward(first, penalty, strength=2.0)
    assert shaped[0] == pytest.approx([0, -1.5, -0.5], abs=1e-9)
    assert shaped[names("e0")].tolist() == [1, 0, 0]


def test_doing_nothing_is_never_penalised_and_the_scale_divides():
    generator = np.random.default_rng(1)
    mdp = FiniteMDP.from_dense(generator.dirichlet(np.ones(5), size=(5, 3)))
    auxiliary = generator.random((7, 5))
    idle = np.array([0, 1, 2, 0, 1])
    penalty = aup_penalty(mdp, auxiliary, idle, discount=0.9)
    assert (penalty[range(5), idle] == 0).all()
    assert (penalty >= 0).all()
    scaled = aup_penalty(mdp, auxiliary, idle, discount=0.9, scaled=True)
    value = solve(mdp, auxiliary, 0.9).value
    dense = mdp.matrix.toarray().reshape(5, 3, 5)[range(5), idle]
    scale = (auxiliary + 0.9 * value @ dense.T).mean(axis=0)
    assert scaled == pytest.approx(penalty / scale[:, None], abs=1e-7)
    twice = aup_penalty(mdp, 2 * auxiliary, idle, discount=0.9, scaled=True)
    assert twice == pytest.approx(scaled, abs=1e-7)


@pytest.mark.parametrize("discount", [0.5, 0.9])
def test_the_penalty_of_one_random_auxiliary_reward_estimates_a_change_of_power(discount):
    mdp = star_and_trap()
    rewards = sample_rewards(mdp, 4000, seed=0)
    estimates = power_change(mdp, rewards, 0, discount=discount)[:, 0]
    names = mdp.state_names.index
    room, trap, exit_ = (names(name) for name in ("room", "trap", "e0"))
    # POWER is 3/4 in the room and 1/2 in the trap and the exit.
    error = 4 * estimates.std(axis=0) / np.sqrt(len(rewards)) + 1e-9
    assert (np.abs(estimates.mean(axis=0) - [0, -0.25, -0.25]) <= error).all()
    # Sample by sample it is the POWER sample's difference, plus rewards of mean zero difference.
    power = power_samples(mdp, rewards, discount).value
    for action, state in ((1, trap), (2, exit_)):
        odd = (1 - discount) / discount * (rewards[:, state] - rewards[:, room])
        assert estimates[:, action] == pytest.approx(
            power[:, state] - power[:, room] + odd, abs=1e-5
        )
    # The penalty forgets the sign, so with one reward it is too large on average.
    single = np.abs(estimates).mean(axis=0)
    assert (single[1:] > 0.25).all()
    penalty = aup_penalty(mdp, rewards, 0, discount=discount)[0]
    assert penalty * (1 - discount) / discount**2 == pytest.approx(single, abs=1e-9)


def test_arguments_that_make_no_sense_are_refused():
    mdp = vase()
    reach = reachability(mdp, discount=0.5)
    with pytest.raises(ModelError, match="Did you mean 'stepwise'"):
        reachability_penalty(mdp, reach, [0, 1], noop=0, baseline="stepwize")
    with pytest.raises(ModelError, match="expected at least 2 numbers"):
        reachability_penalty(mdp, reach, [0], noop=0)
    room = star_and_trap()
    with pytest.raises(ModelError, match="noop is action 2, which is unavailable in state 2"):
        reachability_penalty(room, reachability(room, discount=0.5), [2, 2], noop=2)
    with pytest.raises(ModelError, match="tolerance is 0"):
        reachability(mdp, discount=0.5, tolerance=0)
    with pytest.raises(ModelError, match=r"noop is action 1 in state 2 \('trap'\)"):
        aup_penalty(room, np.ones((1, 6)), [0, 2, 1, 0, 0, 0], discount=0.5)
    with pytest.raises(ModelError, match="cannot scale the penalty"):
        aup_penalty(mdp, [-np.ones(3)], 0, discount=0.5, scaled=True)
    with pytest.raises(ModelError, match="strength is -1"):
        aup_reward(np.ones(3), np.ones((3, 2)), strength=-1)
