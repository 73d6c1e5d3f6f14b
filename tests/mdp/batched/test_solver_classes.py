"""A block's true error is within its certificate, whatever the class of process and the rewards."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from chance_processes import KINDS, internal, optimum, process
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from offswitch.errors import ModelError
from offswitch.mdp.batched.block import solve_block
from offswitch.mdp.batched.plan import plan_solver

DISCOUNTS = (0.5, 0.9, 0.99, 0.999, 0.9999)
SHAPES = ("uniform", "negative", "signed", "sparse", "one state", "constant", "zero")


def rewards(shape: str, n_states: int, seed: int = 0, n_goals: int = 8) -> np.ndarray:
    """[S, K] rewards of a shape, largest size about 1."""
    generator = np.random.default_rng([SHAPES.index(shape), seed])
    drawn = generator.random((n_states, n_goals))
    match shape:
        case "negative":
            return drawn - 1
        case "signed":
            return 2 * drawn - 1
        case "sparse":
            return drawn * (generator.random(drawn.shape) < 0.3)
        case "one state":
            return np.eye(n_states)[:, np.arange(n_goals) % n_states]
        case "constant":
            return np.full_like(drawn, -0.7)
        case "zero":
            return np.zeros_like(drawn)
    return drawn


def assert_certified(mdp, reward, discount, tolerance, allowed=None):
    """Solve a block; its error is below its certificate, and that below the tolerance."""
    plan = plan_solver(mdp, discount, tolerance=tolerance, allowed=allowed)
    block = solve_block(plan, internal(plan, reward))
    K = reward.shape[1]
    rounded = block.reward[plan.structure.position, :K].astype(np.float64)
    exact = optimum(mdp, rounded, discount, allowed)
    wrong = np.abs(block.value[plan.structure.position, :K] - exact).max(axis=0)
    largest = np.abs(rounded).max(axis=0)
    oracle = 4e-15 * np.abs(exact).max(axis=0)
    assert (wrong <= block.error[:K] + oracle).all()
    assert (block.error[:K] <= tolerance * largest * (1 + 1e-12)).all()
    return block


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_true_error_is_within_the_certificate(kind, discount):
    for seed, shape in enumerate(SHAPES):
        mdp = process(kind, seed)
        for tolerance in (1e-6, 1e-4 / (1 - discount)):
            assert_certified(mdp, rewards(shape, 6, seed), discount, tolerance)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from(KINDS),
    st.integers(0, 10**6),
    st.floats(0.01, 0.9999),
    st.sampled_from([1e-30, 1e-3, 1.0, 1e6, 1e20]),
    st.sampled_from(SHAPES),
    st.sampled_from([1e-2, 1e-6]),
)
def test_the_certificate_holds_whatever_scale_discount_and_tolerance(
    kind, seed, discount, scale, shape, tolerance
):
    mdp = process(kind, seed, n_states=5, n_actions=2)
    plan = plan_solver(mdp, discount, tolerance=tolerance)
    if plan.dtype == np.float32 and scale in (1e-30, 1e20):
        scale = scale ** (1 / 2)  # stays within float32 once it is squared
    assert_certified(mdp, scale * rewards(shape, 5, seed), discount, tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_the_certificate_holds_in_rational_arithmetic(kind):
    mdp = process(kind, 5, n_states=4, n_actions=2)
    plan = plan_solver(mdp, 0.99, tolerance=1e-6)
    block = solve_block(plan, internal(plan, rewards("signed", 4, 5)))
    value, earned = (a[plan.structure.position, 0] for a in (block.value, block.reward))
    exact = rational_optimum(mdp, earned, 0.99)
    wrong = max(abs(Fraction(float(v)) - x) for v, x in zip(value, exact, strict=True))
    assert wrong <= Fraction(float(block.error[0]))


def rational_optimum(mdp, earned, discount):
    """Policy iteration in fractions for one goal `[S]`."""
    S, gamma = mdp.n_states, Fraction(discount)
    rows = [
        [dict(zip(*(x.tolist() for x in mdp.successors(s, a)), strict=True)) for a in range(2)]
        for s in range(S)
    ]
    policy = [0] * S
    while True:
        table = [
            [
                Fraction(int(s == t)) - gamma * Fraction(rows[s][policy[s]].get(t, 0))
                for t in range(S)
            ]
            + [Fraction(float(earned[s]))]
            for s in range(S)
        ]
        for pivot in range(S):
            for other in range(S):
                if other != pivot:
                    factor = table[other][pivot] / table[pivot][pivot]
                    table[other] = [
                        x - factor * y for x, y in zip(table[other], table[pivot], strict=True)
                    ]
        value = [table[s][S] / table[s][s] for s in range(S)]
        worth = [
            [sum(Fraction(p) * value[t] for t, p in row.items()) for row in rows[s]]
            for s in range(S)
        ]
        better = [max(range(2), key=lambda a, s=s: (worth[s][a], a == policy[s])) for s in range(S)]
        if better == policy:
            return value
        policy = better


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("kind", KINDS)
def test_values_agree_with_linear_programming(kind, discount):
    mdp = process(kind, 7, n_states=12)
    reward = rewards("signed", 12, 7, n_goals=1)
    owner = np.repeat(np.eye(12), mdp.n_actions, axis=0)
    bound = linprog(
        np.ones(12),
        A_ub=discount * mdp.matrix.toarray() - owner,
        b_ub=-np.repeat(reward[:, 0], mdp.n_actions),
        bounds=(None, None),
    )
    plan = plan_solver(mdp, discount, tolerance=1e-9 / (1 - discount))
    block = solve_block(plan, internal(plan, reward))
    # The program meets its constraints to 1e-7 at best, which a long horizon multiplies.
    assert block.value[plan.structure.position, 0] == pytest.approx(
        bound.x, abs=1e-6 / (1 - discount)
    )


@pytest.mark.parametrize("discount", DISCOUNTS)
@pytest.mark.parametrize("kind", KINDS)
def test_forbidden_actions_are_never_taken(kind, discount):
    generator = np.random.default_rng(3)
    allowed = generator.random((6, 3)) < 0.4
    allowed[np.arange(6), generator.integers(3, size=6)] = True
    reward = rewards("signed", 6, 3)
    masked = assert_certified(process(kind, 3), reward, discount, 1e-6, allowed)
    free = assert_certified(process(kind, 3), reward, discount, 1e-6)
    assert masked.value.sum() < free.value.sum()


@pytest.mark.parametrize("kind", ["sparse", "dense", "multichain", "absorbing"])
def test_a_unit_of_reward_is_only_a_unit(kind):
    """Affine rule: r -> a r + b moves V to a V + b / (1 - gamma)."""
    mdp, reward = process(kind, 2), rewards("uniform", 6, 2)
    plan = plan_solver(mdp, 0.99, tolerance=1e-8)
    first = solve_block(plan, internal(plan, reward))
    second = solve_block(plan, internal(plan, 50 * reward - 3))
    assert second.value == pytest.approx(50 * first.value - 300, abs=2e-5)


def test_a_tolerance_beyond_float64_is_refused():
    plan = plan_solver(process("sparse"), 0.9999, tolerance=1e-18)
    with pytest.raises(ModelError, match="carries no more"):
        solve_block(plan, internal(plan, rewards("uniform", 6)))
