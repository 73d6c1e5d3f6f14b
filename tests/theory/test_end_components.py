"""Where policies can stay, and what they can surely reach, against policies tried one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from certificate_by_definition import dense, pairs_of, parts_of, surely

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.colours import state_colours
from offswitch.theory.certificates.supports import Supports
from offswitch.theory.long_run.end_components import closure, end_components, surely_reaching


def small_process(seed: int) -> FiniteMDP:
    generator = np.random.default_rng(seed)
    rows: list[tuple[int, int, int, float]] = []
    for state, action in itertools.product(range(5), range(2)):
        if action == 0 or generator.integers(2):
            first, second = generator.integers(5, size=2)
            rows += [(state, action, first, 0.5), (state, action, second, 0.5)]
    return FiniteMDP.from_coo(5, 2, rows)


@pytest.mark.slow
def test_end_components_are_what_some_policy_takes_for_ever():
    for seed in range(40):
        mdp = small_process(seed)
        found, everywhere = end_components(mdp), set(range(5))
        pairs = pairs_of(dense(mdp), everywhere, recurrent=True)
        assert {(x, a) for x, a in np.argwhere(found.inside).tolist()} == pairs
        parts = {frozenset(part) for part in parts_of(dense(mdp), pairs)}
        labels = range(found.label.max() + 1)
        assert {frozenset(np.flatnonzero(found.label == n).tolist()) for n in labels} == parts
        label, inside = Supports(mdp).settle(Supports(mdp).acts, 0)
        reached = closure(mdp, np.arange(5) == 0)
        assert sorted(label) == np.flatnonzero(found.states & reached).tolist()
        assert {(x, a) for x in inside for a in inside[x]} <= pairs


@pytest.mark.slow
def test_surely_reaching_is_what_some_policy_does_with_probability_1():
    for seed in range(40):
        mdp = small_process(seed)
        target = seed % 5
        truth = [surely(dense(mdp), state, {target}) for state in range(5)]
        assert surely_reaching(mdp, np.arange(5) == target).tolist() == truth
        supports = Supports(mdp)
        assert [supports.surely(supports.acts, s, {target}) for s in range(5)] == truth


def test_a_mask_leaves_states_without_acts_out_of_every_component():
    loops = FiniteMDP.from_coo(2, 1, [(0, 0, 0, 1), (1, 0, 1, 1)])
    found = end_components(loops, [[True], [False]])
    assert found.label.tolist() == [0, -1]
    assert surely_reaching(loops, [False, True], [[True], [False]]).tolist() == [False, True]


def test_colours_see_probabilities_distinct_acts_and_what_lies_beyond():
    rows = [(x, 0, x, 1.0) for x in (6, 7)]
    rows += [(0, 0, 6, 0.5), (0, 0, 7, 0.5), (1, 0, 6, 0.5), (1, 0, 7, 0.5)]
    rows += [(2, 0, 6, 1.0), (2, 1, 7, 1.0), (3, 0, 6, 1.0), (3, 1, 6, 1.0)]
    rows += [(4, 0, 2, 1.0), (5, 0, 3, 1.0)]
    colour = state_colours(FiniteMDP.from_coo(8, 2, rows))
    assert colour[0] == colour[1]
    assert colour[6] == colour[7]
    # Two acts to two ends are not two acts to one end; nor is what leads there.
    assert colour[2] != colour[3]
    assert colour[4] != colour[5]
    # Half and half between equal ends is one end for certain, once the ends are equal.
    assert colour[0] != colour[2]
