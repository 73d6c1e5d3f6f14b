"""Channel capacities against closed forms and an independent optimiser; empowerment by counting."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory import empowerment as module
from offswitch.theory.empowerment import capacity, empowerment, sequence_channel


def entropy(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


def grid(width: int) -> FiniteMDP:
    """A square of cells with four moves and staying; walls stop."""
    rows = []
    for y, x in itertools.product(range(width), repeat=2):
        for action, (dy, dx) in enumerate([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]):
            to = min(max(y + dy, 0), width - 1), min(max(x + dx, 0), width - 1)
            rows.append((y * width + x, action, to[0] * width + to[1], 1.0))
    return FiniteMDP.from_coo(width * width, 5, rows)


def random_process(seed: int) -> FiniteMDP:
    generator = np.random.default_rng(seed)
    return FiniteMDP.from_dense(generator.dirichlet(np.full(4, 0.4), size=(4, 3)))


@pytest.mark.parametrize("flip", [0.0, 0.1, 0.25, 0.5])
def test_a_binary_symmetric_channel_has_capacity_one_less_the_entropy(flip):
    found = capacity([[1 - flip, flip], [flip, 1 - flip]], tolerance=1e-13)
    expected = 1.0 if flip == 0 else 1 - entropy(flip)
    assert found.bits == pytest.approx(expected, abs=1e-12)
    if flip == 0.1:
        assert found.bits == pytest.approx(0.5310044, abs=5e-8)


def test_the_z_channel_has_capacity_log2_of_five_quarters():
    found = capacity([[1.0, 0.0], [0.5, 0.5]], tolerance=1e-13)
    assert found.bits == pytest.approx(np.log2(5 / 4), abs=1e-12)
    assert found.bits == pytest.approx(0.3219281, abs=5e-8)
    assert found.chance == pytest.approx([0.6, 0.4], abs=1e-6)


@pytest.mark.parametrize("erased", [0.0, 0.3, 1.0])
def test_an_erasure_channel_loses_what_is_erased(erased):
    kept = 1 - erased
    found = capacity([[kept, 0, erased], [0, kept, erased]], tolerance=1e-13)
    assert found.bits == pytest.approx(kept, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_bracket_holds_what_a_general_optimiser_finds(seed):
    channel = np.random.default_rng(seed).dirichlet(np.ones(4), size=5)

    def lost(free):
        p = np.exp(free) / np.exp(free).sum()
        return -(p[:, None] * channel * np.log2(channel / (p @ channel))).sum()

    best = max(-minimize(lost, start).fun for start in np.eye(5) - 0.5)
    found = capacity(channel, tolerance=1e-9)
    assert found.gap <= 1e-9
    assert found.bits - 1e-6 <= best <= found.bits + found.gap + 1e-9


def test_equal_inputs_share_their_probability_and_change_nothing():
    once = capacity([[0.9, 0.1], [0.2, 0.8]])
    thrice = capacity([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1], [0.9, 0.1]])
    assert thrice.bits == pytest.approx(once.bits, abs=1e-9)
    assert thrice.chance[[0, 2, 3]].sum() == pytest.approx(once.chance[0])
    assert thrice.chance.sum() == pytest.approx(1)


def test_rounds_that_run_out_leave_a_gap_that_still_brackets():
    channel = np.random.default_rng(0).dirichlet(np.ones(6), size=6)
    rough, fine = capacity(channel, most_rounds=3), capacity(channel, tolerance=1e-10)
    assert rough.rounds == 3 and rough.gap > 1e-9
    assert rough.bits <= fine.bits + 1e-10 <= rough.bits + rough.gap


@pytest.mark.parametrize(("steps", "cells"), [(1, 5), (2, 13), (3, 25), (5, 61)])
def test_an_open_grid_has_empowerment_log2_of_the_diamond(steps, cells):
    mdp = grid(11)
    found = empowerment(mdp, 5 * 11 + 5, steps=steps)
    assert found.bits.tolist() == [np.log2(cells)]
    assert found.gap.tolist() == [0.0]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_counting_and_blahut_arimoto_agree_on_a_deterministic_process(steps):
    mdp = grid(3)
    counted = empowerment(mdp, steps=steps)
    for state in range(9):
        found = capacity(sequence_channel(mdp, state, steps), tolerance=1e-12)
        assert found.bits == pytest.approx(counted.bits[state], abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_n_step_channel_is_that_of_every_sequence(seed):
    mdp = random_process(seed)
    dense = mdp.matrix.toarray().reshape(4, 3, 4)
    for state in range(4):
        every = [np.eye(4)[state] @ dense[:, a] @ dense[:, b] for a in range(3) for b in range(3)]
        rows = sequence_channel(mdp, state, 2)
        assert len(rows) == 9
        assert {tuple(row.round(12)) for row in rows} == {tuple(row.round(12)) for row in every}


def test_in_a_process_where_actions_do_nothing_empowerment_is_zero():
    noise = np.random.default_rng(0).dirichlet(np.ones(3), size=(3, 1)).repeat(2, axis=1)
    found = empowerment(FiniteMDP.from_dense(noise), steps=3)
    assert found.bits == pytest.approx(np.zeros(3), abs=1e-9)


def test_a_sequence_that_may_meet_an_unavailable_action_is_not_counted():
    # Action 1 leads to 1 or 2 by chance; only 1 offers action 1 again.
    mdp = FiniteMDP.from_coo(
        3, 2,
        [(0, 0, 0, 1), (0, 1, 1, 0.5), (0, 1, 2, 0.5), (1, 0, 1, 1), (1, 1, 0, 1), (2, 0, 2, 1)],
    )  # fmt: skip
    rows = sequence_channel(mdp, 0, 2)
    assert sorted(map(tuple, rows.tolist())) == [(0, 0.5, 0.5), (1, 0, 0)]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: empowerment(grid(2), 4, steps=1), "state is 4"),
        (lambda: empowerment(grid(2), steps=0), "steps is 0"),
        (lambda: capacity([[0.5, 0.6]]), r"channel\[0\] sums to 1.1"),
        (lambda: capacity([[1.0]], tolerance=0), "tolerance is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()


def test_too_many_sequences_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST_ENTRIES", 100)
    with pytest.raises(ModelError, match="distinct sequences after 2 of 6 steps"):
        empowerment(random_process(0), 0, steps=6)


def test_a_state_from_which_no_sequence_is_safe_is_named():
    mdp = FiniteMDP.from_coo(
        3, 2, [(0, 0, 1, 0.5), (0, 0, 2, 0.5), (1, 0, 1, 1), (2, 1, 2, 1)]
    )  # fmt: skip
    with pytest.raises(ModelError, match=r"no sequence of 2 actions .* state 0 \('s0'\)"):
        empowerment(mdp, 0, steps=2)
