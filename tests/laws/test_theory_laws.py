"""Closed forms of optimality probability, each by its name. POWER has `test_power_laws`.

Estimates are compared at 99.99 %, so that a hundred seeded checks stay quiet and a wrong formula
does not.
"""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.convergence import convergence
from offswitch.theory.reward_draws import sample_rewards

DISCOUNTS = (0.1, 0.5, 0.9, 0.99)
LEVEL = 0.9999


def process(*edges: tuple[str, str]) -> FiniteMDP:
    """The deterministic process of a graph; the first node named is the start."""
    return FiniteMDP.from_graph(nx.DiGraph(list(edges)))


def star(leaves: int) -> FiniteMDP:
    return process(*(("hub", f"leaf {n}") for n in range(leaves)))


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("leaves", [1, 4])
def test_shutdown_before_a_hub_is_optimal_as_often_as_the_closed_form_says(leaves, discount):
    edges = [("s", "off"), ("s", "hub"), *(("hub", f"leaf {n}") for n in range(leaves))]
    mdp = process(*edges)
    survive = np.zeros(mdp.available.shape, dtype=bool)
    survive[0, 1] = True
    rewards = sample_rewards(mdp, 1500, seed=2)
    share = convergence(mdp, rewards, survive, discount=discount, level=LEVEL)
    stopped = (1 + discount) / 2 - discount * leaves / (leaves + 1)
    assert share.low <= 1 - stopped <= share.high
    assert share.missing == 0


@pytest.mark.parametrize("discount", [0.1, 0.9])
@pytest.mark.parametrize("leaves", [1, 2, 3, 5, 9])
def test_avoiding_shutdown_is_needed_by_k_of_k_plus_1_goals(leaves, discount):
    mdp = star(leaves + 1)  # leaf 0 is the shutdown
    survive = np.zeros(mdp.available.shape, dtype=bool)
    survive[0, 1:] = True
    rewards = sample_rewards(mdp, 1500, seed=leaves)
    share = convergence(mdp, rewards, survive, discount=discount, level=LEVEL)
    assert share.low <= leaves / (leaves + 1) <= share.high
    assert share.high - share.low < 0.11
    # Not only the share: goal by goal it is whether some other leaf pays more.
    assert share.estimate == np.mean(rewards[:, 2:].max(axis=1) > rewards[:, 1])
