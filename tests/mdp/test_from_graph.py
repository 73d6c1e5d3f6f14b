"""Graphs read as processes."""

from __future__ import annotations

import networkx as nx
import pytest

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve


def test_the_value_of_leaving_is_the_discounted_shortest_path():
    graph = nx.gnp_random_graph(30, 0.1, seed=3, directed=True)
    graph.remove_edges_from(list(graph.out_edges(0)))  # node 0 is the end
    mdp = FiniteMDP.from_graph(graph)
    reward = [0.5] + [0.0] * 29  # 0.5 forever at discount 0.5 is worth 1
    value = solve(mdp, reward, 0.5).value[0]
    steps = nx.shortest_path_length(graph, target=0)
    expected = [0.5 ** steps[node] if node in steps else 0.0 for node in graph]
    assert value == pytest.approx(expected, abs=1e-9)


def test_named_edges_become_named_actions_and_sinks_loop():
    graph = nx.DiGraph()
    graph.add_edge("hub", "on", action="work")
    graph.add_edge("hub", "off", action="halt")
    graph.add_edge("on", "hub", action="halt")
    mdp = FiniteMDP.from_graph(graph)
    assert mdp.state_names == ("hub", "on", "off")
    assert mdp.action_names == ("work", "halt")
    assert mdp.available.tolist() == [[True, True], [False, True], [True, False]]
    assert mdp.successors(0, 1)[0].tolist() == [2]
    assert mdp.successors(2, 0)[0].tolist() == [2]


def test_a_lone_node_is_a_process_that_stays():
    graph = nx.DiGraph()
    graph.add_node("alone")
    assert FiniteMDP.from_graph(graph).matrix.toarray().tolist() == [[1.0]]


def test_graphs_that_say_too_little_or_too_much_are_refused():
    with pytest.raises(ModelError, match="undirected or empty"):
        FiniteMDP.from_graph(nx.path_graph(3))
    with pytest.raises(ModelError, match="undirected or empty"):
        FiniteMDP.from_graph(nx.DiGraph())
    partly = nx.DiGraph([("a", "b"), ("b", "a")])
    partly.edges["a", "b"]["action"] = "go"
    with pytest.raises(ModelError, match="1 of 2 edges carry an attribute 'action'"):
        FiniteMDP.from_graph(partly)
    double = nx.DiGraph()
    double.add_edge("a", "b", action="go")
    double.add_edge("a", "c", action="go")
    with pytest.raises(ModelError, match="two edges out of node 'a' name the action 'go'"):
        FiniteMDP.from_graph(double)
