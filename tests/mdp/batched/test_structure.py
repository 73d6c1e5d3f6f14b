"""What is found out of a process before it is solved."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from route_processes import ROUTES, grid, route_process

from offswitch.mdp.batched.deterministic_sweeps import sweep_table
from offswitch.mdp.batched.short_cycles import short_cycles
from offswitch.mdp.batched.structure import analyse_structure
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.state_order import successors_first


def analysed(mdp):
    return analyse_structure(mdp, mdp.available)


def graph_of(mdp):
    graph = nx.DiGraph()
    graph.add_nodes_from(range(mdp.n_states))
    for state in range(mdp.n_states):
        for action in range(mdp.n_actions):
            targets, _ = mdp.successors(state, action)
            graph.add_edges_from((state, int(t)) for t in targets if t != state)
    return graph


def random_dense(seed, n_states=6, n_actions=4):
    """Rows with ties, stays and masked actions."""
    generator = np.random.default_rng(seed)
    dense = np.zeros((n_states, n_actions, n_states))
    for state in range(n_states):
        for action in range(n_actions):
            targets = generator.integers(n_states, size=2)
            np.add.at(dense[state, action], targets, 0.5)
        dense[state, 1] = dense[state, 0]
        # The same successors, other chances: no duplicate.
        support = np.flatnonzero(dense[state, 0])
        dense[state, 3] = 0
        dense[state, 3, support] = [1.0] if len(support) == 1 else [0.25, 0.75]
        if generator.random() < 0.5:
            dense[state, 2] = 0
    return FiniteMDP.from_dense(dense)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_the_choices_are_the_process_renumbered_and_without_duplicates(seed):
    mdp = random_dense(seed)
    found = analysed(mdp)
    dense = mdp.matrix.toarray().reshape(6, 4, 6)
    assert sorted(found.order) == list(range(6))
    assert (found.position[found.order] == np.arange(6)).all()
    for place, state in enumerate(found.order):
        rows = {}
        for action in range(4):
            choice = found.choice[place, action]
            assert (choice >= 0) == mdp.available[state, action]
            if choice < 0:
                continue
            assert found.choice_start[place] <= choice < found.choice_start[place + 1]
            span = slice(found.transition_start[choice], found.transition_start[choice + 1])
            row = np.zeros(6)
            row[found.order[found.next_state[span]]] = found.probability[span]
            row[state] += found.stay[choice]
            assert (row == dense[state, action]).all()
            assert (np.diff(found.next_state[span].astype(int)) > 0).all()
            rows[choice] = tuple(row)
        assert len(set(rows.values())) == len(rows)
    assert found.transition_start[found.choice_start].tolist() == found.move_start.tolist()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(ROUTES), st.integers(0, 10**6))
def test_cycles_and_components_are_those_of_the_graph(kind, seed):
    mdp = route_process(kind, seed)
    found = analysed(mdp)
    graph = graph_of(mdp)
    assert found.deterministic
    assert found.acyclic == nx.is_directed_acyclic_graph(graph)
    assert found.n_components == nx.number_strongly_connected_components(graph)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_without_cycles_successors_come_first_whatever_the_numbering(seed):
    mdp = route_process("acyclic", seed, n_states=12)
    shuffle = np.random.default_rng(seed).permutation(12)
    rows = [
        (shuffle[s], a, shuffle[mdp.successors(s, a)[0][0]], 1.0) for s in range(12) for a in (0, 1)
    ]
    found = analysed(FiniteMDP.from_coo(12, 2, rows))
    owner = np.repeat(np.arange(12), np.diff(found.move_start))
    assert (found.next_state < owner).all()


def test_a_chain_of_many_states_needs_no_recursion():
    n = 50_000
    next_state = np.minimum(np.arange(1, n + 1), n - 1)
    order = successors_first(np.arange(n + 1), next_state, np.ones((n, 1), np.bool_))
    assert order.tolist() == list(range(n - 1, -1, -1))


def test_a_row_of_one_successor_with_a_chance_just_below_1_is_not_deterministic():
    exact = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    rounded = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1 - 1e-10)])
    assert analysed(exact).deterministic
    assert not analysed(rounded).deterministic


def test_forbidden_actions_are_no_choices():
    fork = FiniteMDP.from_coo(3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)])
    allowed = fork.available
    allowed[0, 1] = False
    found = analyse_structure(fork, allowed)
    assert found.n_choices == 3
    assert (found.choice[found.position[0]] >= 0).tolist() == [True, False]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(ROUTES), st.integers(0, 10**6))
def test_short_cycles_are_the_stays_and_the_ways_to_and_fro(kind, seed):
    mdp = route_process(kind, seed)
    found = analysed(mdp)
    cycles = short_cycles(found)
    goes = np.zeros((9, 9), np.bool_)
    for state in range(9):
        for action in range(3):
            goes[state, mdp.successors(state, action)[0]] = True
    goes = goes[np.ix_(found.order, found.order)]
    assert (cycles.stays == np.diagonal(goes)).all()
    both_ways = goes & goes.T & ~np.eye(9, dtype=bool)
    expected = both_ways & ~np.outer(cycles.stays, cycles.stays)
    partners = np.zeros((9, 9), np.bool_)
    partners[np.repeat(np.arange(9), np.diff(cycles.partner_start)), cycles.partner] = True
    assert (partners == expected).all()


@pytest.mark.parametrize("n_actions", [1, 2, 3, 4, 5, 8, 9, 16])
def test_the_sweep_table_holds_every_successor_but_the_state_itself(n_actions):
    found = analysed(route_process("any", n_actions, n_states=30, n_actions=n_actions))
    table = sweep_table(found)
    for state in range(30):
        span = slice(found.move_start[state], found.move_start[state + 1])
        padded = table.successor[table.start[state] : table.start[state + 1]]
        assert set(padded) == set(found.next_state[span])
        assert state not in padded
        assert len(padded) % 4 == 0


def test_a_grid_has_one_component_and_its_walls_no_choice_but_to_stay():
    found = analysed(grid(4))
    assert found.n_components == 1
    corner = found.position[0]
    assert found.choice[corner].tolist().count(found.choice[corner, 4]) == 3
