"""Empowerment by counting sequences, and what brackets a capacity."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listed_policies import random_listed

from offswitch.theory.empowerment import capacity, empowerment, sequence_channel

many = settings(max_examples=40, deadline=None, derandomize=True)
few = settings(max_examples=20, deadline=None, derandomize=True)
seeds = st.integers(0, 10**6)


def ends(dense: np.ndarray, state: int, steps: int) -> list[np.ndarray]:
    """The distribution after each sequence of actions that can be taken whatever happens."""
    found = []
    for sequence in itertools.product(range(dense.shape[1]), repeat=steps):
        here, possible = np.eye(len(dense))[state], True
        for action in sequence:
            possible &= dense[here > 0, action].any(axis=1).all()
            here = here @ dense[:, action]
        if possible:
            found.append(here)
    return found


@pytest.mark.slow
@many
@given(seeds, st.integers(1, 4), st.integers(2, 3))
def test_klyubin_without_chance_empowerment_is_log2_of_the_states_that_sequences_reach(
    seed, steps, actions
) -> None:
    listed = random_listed(seed, states=6, actions=actions, chance=False)
    found = empowerment(listed.mdp, steps=steps)
    for state in range(6):
        reached = {int(end.argmax()) for end in ends(listed.dense, state, steps)}
        assert found.bits[state] == np.log2(len(reached))
        alone = empowerment(listed.mdp, state, steps=steps)
        assert (alone.bits.tolist(), alone.gap.tolist()) == ([found.bits[state]], [0.0])
    # No distribution over sequences tells more: the channel has that capacity.
    channel = capacity(sequence_channel(listed.mdp, 0, steps), tolerance=1e-9)
    assert channel.bits == pytest.approx(found.bits[0], abs=1e-8)


def information(chance: np.ndarray, channel: np.ndarray) -> float:
    """I(X; Y) in bits: H(Y) less the mean H(Y | x)."""

    def entropy(p: np.ndarray) -> float:
        kept = p[p > 0]
        return float(-(kept * np.log2(kept)).sum())

    given_x = sum(p * entropy(row) for p, row in zip(chance, channel, strict=True))
    return entropy(chance @ channel) - given_x


def furthest(channel: np.ndarray, output: np.ndarray) -> float:
    """max_x D(p(.|x) || output) in bits."""
    ratio = np.divide(channel, output, out=np.ones_like(channel), where=channel > 0)
    return float((channel * np.log2(ratio)).sum(axis=1).max())


@few
@given(seeds, st.integers(1, 500), st.sampled_from([0.3, 1.0]))
def test_blahut_and_arimoto_every_input_gives_a_lower_and_every_output_an_upper_bound(
    seed, most_rounds, sharpness
) -> None:
    """Whenever the iteration stops: no input does better than bits + gap, and no output shows that
    less than bits can be had."""
    generator = np.random.default_rng(seed)
    channel = generator.dirichlet(np.full(4, sharpness), size=3)
    found = capacity(channel, tolerance=1e-9, most_rounds=most_rounds)
    assert found.bits == pytest.approx(information(found.chance, channel), abs=1e-9)
    assert found.gap <= 1e-9 or found.rounds == most_rounds
    near = found.chance * generator.uniform(0.5, 2, size=(30, 3))
    inputs = np.concatenate([near, generator.dirichlet(np.ones(3), size=30), np.eye(3) + 1e-9])
    for chance in inputs / inputs.sum(axis=1, keepdims=True):
        assert information(chance, channel) <= found.bits + found.gap + 1e-9
        assert furthest(channel, chance @ channel) >= found.bits - 1e-9
    assert furthest(channel, found.chance @ channel) <= found.bits + found.gap + 1e-6


@many
@given(st.floats(0, 1), st.floats(0, 1))
def test_law_the_capacity_of_a_channel_of_two_inputs_and_outputs_has_a_closed_form(
    first, second
) -> None:
    """Of a binary symmetric channel 1 - h(p), of a Z-channel log2(1 + (1 - p) p^(p / (1 - p)))."""

    def h(p: float) -> float:
        return float(-sum(x * np.log2(x) for x in (p, 1 - p) if x > 0))

    flip = capacity([[1 - first, first], [first, 1 - first]], tolerance=1e-10)
    assert flip.bits == pytest.approx(1 - h(first), abs=1e-8)
    lost = second * 0.95  # nearer to 1 the iteration is slow
    falls = capacity([[1.0, 0.0], [lost, 1 - lost]], tolerance=1e-9)
    exact = np.log2(1 + (1 - lost) * lost ** (lost / (1 - lost)))
    assert falls.bits <= exact + 1e-9 and exact <= falls.bits + falls.gap + 1e-9


@many
@given(seeds, st.integers(1, 3))
def test_law_the_channel_of_sequences_has_the_rows_of_every_sequence_and_no_others(
    seed, steps
) -> None:
    listed = random_listed(seed, states=4, actions=2)
    every = {tuple(end.round(9)) for end in ends(listed.dense, 1, steps)}
    rows = sequence_channel(listed.mdp, 1, steps)
    assert {tuple(row.round(9)) for row in rows} == every
