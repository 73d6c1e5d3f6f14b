"""The limits of POWER, and the distributions behind them."""

from __future__ import annotations

import itertools
import warnings
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
from power_processes import chance, grid, pair, star
from scipy.optimize import linprog

from offswitch.errors import ModelError
from offswitch.mdp.batched.structure import analyse_structure
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.occupancy import occupancy
from offswitch.theory.laws.bernoulli import Bernoulli
from offswitch.theory.laws.goal_set import GoalSet
from offswitch.theory.laws.on_states import OnStates
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.long_run import restricted_policies
from offswitch.theory.long_run.average_gain import average_gains, long_runs
from offswitch.theory.long_run.cycle_means import best_cycle_means
from offswitch.theory.long_run.limiting_chain import limiting_chain
from offswitch.theory.long_run.recurrent_states import recurrent_distributions
from offswitch.theory.long_run.visit_distributions import non_dominated, visit_distributions
from offswitch.theory.power import power
from offswitch.theory.power_limits import power_limit_average, power_limit_myopic
from offswitch.theory.power_samples import power_samples
from offswitch.theory.reward_draws import sample_rewards
from offswitch.theory.sampling.reachable_maximum import successor_lists


def ring(n: int, *extra: tuple[int, int]) -> FiniteMDP:
    """A cycle of n states and further moves."""
    edges = [(s, (s + 1) % n) for s in range(n)]
    return FiniteMDP.from_graph(nx.DiGraph([*edges, *extra]))


def several() -> dict[str, FiniteMDP]:
    """One process of every kind that has more than one recurrent class, a period, or chance."""
    split = np.zeros((5, 2, 5))
    split[0, 0, [1, 3]] = 0.5  # chance decides between two classes
    split[0, 1, 0] = 1
    split[1, :, 2] = split[2, 0, 1] = 1
    split[2, 1, [1, 2]] = 0.5
    split[3, :, 4] = split[4, 0, 3] = split[4, 1, 4] = 1
    return {
        "star": star(3),
        "pair": pair(),
        "chord": ring(6, (3, 1), (5, 2)),
        "chance": chance(4, 2, seed=1),
        "split": FiniteMDP.from_dense(split),
    }


@pytest.mark.parametrize("name", several())
def test_the_limit_to_discount_1_is_the_best_recurrent_distribution_goal_by_goal(name):
    mdp = several()[name]
    rewards = sample_rewards(mdp, 64, seed=1)
    found = power_limit_average(mdp, rewards=rewards, keep_samples=True)
    for state in range(mdp.n_states):
        ends = recurrent_distributions(mdp, state)
        best = (rewards @ ends.T).max(axis=1)
        assert found.samples[:, state] == pytest.approx(best, abs=found.solver_error + 1e-12)


@pytest.mark.parametrize("name", several())
def test_power_close_to_a_limit_is_close_to_the_limit(name):
    mdp = several()[name]
    rewards = sample_rewards(mdp, 64, seed=2)
    for limit, discount in ((power_limit_average, 0.9999), (power_limit_myopic, 1e-4)):
        there = limit(mdp, rewards=rewards).estimate
        near = power_samples(mdp, rewards, discount).value.mean(axis=0)
        assert there == pytest.approx(near, abs=3e-3)
        assert np.abs(there - near).max() < 20 * min(discount, 1 - discount)


@pytest.mark.parametrize(
    ("mdp", "average", "myopic"),
    [
        (star(4), {0: 4 / 5, 1: 1 / 2}, {0: 4 / 5, 1: 1 / 2}),
        (pair(), {0: 2 / 3}, {0: 2 / 3, 1: 1 / 2}),
        (ring(3), dict.fromkeys(range(3), 1 / 2), dict.fromkeys(range(3), 1 / 2)),
        (grid(4), dict.fromkeys(range(16), 16 / 17), {0: 3 / 4, 5: 5 / 6, 1: 4 / 5}),
    ],
    ids=["star", "pair", "ring", "grid"],
)
def test_closed_forms_of_the_limits_are_exact(mdp, average, myopic):
    for limit, exact in ((power_limit_average, average), (power_limit_myopic, myopic)):
        found = limit(mdp, seed=1)
        for state, value in exact.items():
            if limit is power_limit_average and mdp.n_states == 2:
                assert found.low[state] <= value + 1e-3  # a mean of two is never the best
                continue
            assert found.estimate[state] == pytest.approx(value, abs=1e-9)
            assert found.high[state] - found.low[state] < 1e-8


def test_shutdown_or_hub_has_the_mean_of_the_best_ending_in_the_limit():
    edges = [("s", "off"), ("s", "hub"), *(("hub", f"leaf {n}") for n in range(3))]
    mdp = FiniteMDP.from_graph(nx.DiGraph(edges))
    found = power_limit_average(mdp)
    assert found.method == "closed form"
    assert found.estimate[0] == pytest.approx(4 / 5)
    assert found.difference(0, 1).estimate == pytest.approx(4 / 5 - 1 / 2)
    sparse = power_limit_average(mdp, rewards=Bernoulli(0.5))
    assert sparse.estimate[0] == pytest.approx(1 - 2.0**-4)


def test_a_pair_of_cycles_needs_sampling_and_agrees_with_the_integral():
    # Cycles 0-1 and 2-3 share nothing; state 4 picks one: E max of two means of two uniforms.
    rows = [(0, 0, 1, 1), (1, 0, 0, 1), (2, 0, 3, 1), (3, 0, 2, 1), (4, 0, 0, 1), (4, 1, 2, 1)]
    mdp = FiniteMDP.from_coo(5, 2, rows)
    found = power_limit_average(mdp, half_width=0.002, seed=3)
    # The mean of two has density 4x or 4(1-x); E max of two such is 1/2 + 7/60.
    assert found.low[4] <= 1 / 2 + 7 / 60 <= found.high[4]
    assert found.high[4] - found.low[4] <= 0.004
    assert found.estimate[:4] == pytest.approx(0.5, abs=1e-9)


def test_limits_take_the_arguments_of_power():
    mdp = pair()
    law = GoalSet([[1.0, 0.0], [0.0, 1.0]])
    assert power_limit_average(mdp, rewards=law).estimate == pytest.approx([3 / 4, 3 / 4])
    assert power_limit_myopic(mdp, rewards=law).estimate == pytest.approx([1, 1 / 2])
    only = np.array([[False, True], [True, False]])
    assert power_limit_myopic(mdp, allowed=only).estimate == pytest.approx([1 / 2, 1 / 2])
    some = power_limit_myopic(mdp, rewards=OnStates([1], Uniform(), 2), seed=1)
    assert some.low[0] <= 1 / 2 <= some.high[0]
    assert some.estimate[1] == pytest.approx(0, abs=1e-9)
    with pytest.raises(ModelError, match="half_width is -1"):
        power_limit_myopic(mdp, half_width=-1)
    wide = FiniteMDP.from_coo(
        501, 1, [(s, 0, t, 0.5) for s in range(501) for t in (s, (s + 1) % 501)]
    )
    with pytest.raises(ModelError, match="has 501 states and chance"):
        power_limit_average(wide)


@pytest.mark.parametrize("seed", range(6))
def test_the_best_cycle_is_the_best_of_all_simple_cycles(seed):
    graph = nx.gnp_random_graph(9, 0.25, seed=seed, directed=True)
    graph.add_edges_from((n, n) for n in graph if graph.out_degree(n) == 0)
    mdp = FiniteMDP.from_graph(graph)
    structure = analyse_structure(mdp, mdp.available)
    generator = np.random.default_rng(seed)
    rewards = np.concatenate(
        [generator.random((9, 20)), (generator.random((9, 20)) < 0.3).astype(float)], axis=1
    )
    found, error = best_cycle_means(*successor_lists(structure), rewards[structure.order])
    cycles = list(nx.simple_cycles(graph))
    for place, state in enumerate(structure.order):
        near = nx.descendants(graph, int(state)) | {int(state)}
        inside = [list(cycle) for cycle in cycles if set(cycle) <= near]
        best = np.max([rewards[cycle].mean(axis=0) for cycle in inside], axis=0)
        assert found[place] == pytest.approx(best, abs=error)


@pytest.mark.parametrize("seed", range(3))
def test_the_best_cycle_is_what_policy_iteration_for_processes_with_chance_finds(seed):
    graph = nx.gnp_random_graph(40, 0.05, seed=seed, directed=True)
    mdp = FiniteMDP.from_graph(graph)
    structure = analyse_structure(mdp, mdp.available)
    rewards = np.random.default_rng(seed).random((40, 60))
    found, error = best_cycle_means(*successor_lists(structure), rewards)
    other, slack = average_gains(long_runs(mdp, structure, mdp.available), rewards)
    assert found == pytest.approx(other, abs=error + slack)


def test_the_myopic_limit_is_sampled_where_chance_decides_between_successors():
    mdp = chance()
    found = power_limit_myopic(mdp, seed=1, level=0.9999)
    dense = mdp.matrix.toarray().reshape(6, 3, 6)
    ahead = np.einsum("sat,nt->nsa", dense, sample_rewards(mdp, 20_000, seed=2)).max(axis=2)
    error = ahead.std(axis=0) / np.sqrt(len(ahead))
    assert (np.abs(found.estimate - ahead.mean(axis=0)) <= 4 * error + 0.01).all()
    assert (found.low <= ahead.mean(axis=0) + 4 * error).all()
    assert (found.high >= ahead.mean(axis=0) - 4 * error).all()
    assert (found.high - found.low > 1e-6).all()


def test_the_long_run_of_a_chain_is_that_of_its_high_powers():
    dense = several()["split"].matrix.toarray().reshape(5, 2, 5)
    for policy in itertools.product(range(2), repeat=5):
        chain = dense[np.arange(5), policy]
        average, ahead = np.eye(5), chain
        for _ in range(14):  # the mean of the first 2, 4, 8, ... powers
            average, ahead = (average + ahead @ average) / 2, ahead @ ahead
        assert limiting_chain(chain).limit == pytest.approx(average, abs=1e-3)


def test_visit_distributions_are_the_occupancies_of_policies():
    mdp = chance(3, 2, seed=2)
    found = visit_distributions(mdp, 0, 0.8)
    exact = {
        tuple(occupancy(mdp, np.eye(2)[list(policy)], 0.8).sum(axis=1).round(9))
        for policy in itertools.product(range(2), repeat=3)
    }
    assert {tuple(row.round(9)) for row in found} == exact
    assert found.sum(axis=1) == pytest.approx(5)


def test_the_best_visit_distribution_gives_the_optimal_value():
    mdp = chance(4, 2, seed=3)
    rewards = sample_rewards(mdp, 40, seed=0)
    visits = visit_distributions(mdp, 1, 0.9)
    best = (rewards @ visits.T).max(axis=1)
    exact = power_samples(mdp, rewards, 0.9)
    assert 0.1 / 0.9 * (best - rewards[:, 1]) == pytest.approx(
        exact.value[:, 1], abs=2 * exact.solver_error
    )


def test_non_dominated_distributions_are_the_vertices_that_some_goal_prefers():
    square = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [0.5, 0.5], [1, 0.5]], dtype=float)
    assert non_dominated(square).tolist() == [True, True, True, True, False, False]
    visits = visit_distributions(chance(4, 2, seed=3), 0, 0.9)
    kept = non_dominated(visits)
    goals = np.random.default_rng(1).uniform(-1, 1, (4000, 4))
    preferred = np.unique((goals @ visits.T).argmax(axis=1))
    assert kept[preferred].all()
    assert kept.sum() <= len(visits)
    with pytest.raises(ModelError, match=r"visits have shape \(2,\)"):
        non_dominated([1.0, 2.0])


def test_too_many_policies_and_unknown_states_are_refused(monkeypatch):
    monkeypatch.setattr(restricted_policies, "MOST_POLICIES", 1000)
    rows = [(s, a, (s + a + 1) % 20, 1.0) for s in range(20) for a in range(4)]
    mdp = FiniteMDP.from_coo(20, 4, rows)
    with pytest.raises(ModelError, match="over 1000 policies"):
        visit_distributions(mdp, 0, 0.9)
    with pytest.raises(ModelError, match=r"state is 20, expected an index in \[0, 20\)"):
        recurrent_distributions(mdp, 20)


def test_power_is_continuous_up_to_its_limits():
    mdp = ring(5, (1, 4), (3, 3))
    rewards = sample_rewards(mdp, 200, seed=0)
    along = [power_samples(mdp, rewards, g).value.mean(axis=0) for g in (0.9, 0.99, 0.999)]
    limit = power_limit_average(mdp, rewards=rewards).estimate
    gaps = [np.abs(near - limit).max() for near in along]
    assert gaps[0] > 5 * gaps[1] > 20 * gaps[2]
    assert power(mdp, discount=0.99999, rewards=rewards).estimate == pytest.approx(limit, abs=1e-3)


def rare_exit(chance_: float) -> FiniteMDP:
    """Stay in 0 for ever, or wait for the rare move that leads over 2 to 3 for ever."""
    rows = [(0, 0, 0, 1.0), (0, 1, 0, 1 - chance_), (0, 1, 2, chance_)]
    return FiniteMDP.from_coo(4, 2, [*rows, (1, 0, 1, 1.0), (2, 0, 3, 1.0), (3, 0, 3, 1.0)])


@pytest.mark.parametrize("chance_", [1e-4, 1e-6, 3e-8, 1e-9, 1e-11, 1e-13, 1e-300])
def test_a_rare_transition_counts_in_full_when_there_is_for_ever_to_wait(chance_):
    mdp = rare_exit(chance_)
    rewards = np.random.default_rng(0).random((640, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = power_limit_average(mdp, rewards=rewards, keep_samples=True)
        sampled = power_limit_average(mdp, seed=1)
    best = np.maximum(rewards[:, 0], rewards[:, 3])
    assert found.solver_error < 1e-12
    assert found.samples[:, 0] == pytest.approx(best, abs=1e-12)
    assert sampled.low[0] <= 2 / 3 <= sampled.high[0]


def slippery(side: int, slip: float) -> FiniteMDP:
    """A grid in which the move is a random one with probability `slip`."""
    matrix = grid(side).matrix.toarray().reshape(side**2, 5, side**2)
    return FiniteMDP.from_dense((1 - slip) * matrix + slip * matrix.mean(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("side", "slip"), [(3, 0.2), (5, 1e-3), (8, 0.1), pytest.param(10, 0.2, marks=pytest.mark.slow)]
)
def test_the_limit_on_slippery_grids_is_approached_by_power(side, slip):
    mdp = slippery(side, slip)
    rewards = np.random.default_rng(1).random((64, mdp.n_states))
    found = power_limit_average(mdp, rewards=rewards, keep_samples=True)
    assert found.solver_error < 1e-11
    gaps = []
    for discount in (0.9999, 0.99999):
        near = power_samples(mdp, rewards, discount)
        gaps.append(np.abs(found.samples - near.value).max() - near.solver_error)
    assert gaps[0] < 2e-3
    assert gaps[1] < 2e-4


def best_average_by_linear_program(mdp: FiniteMDP, reward: np.ndarray) -> np.ndarray:
    """Puterman 1994, Sec. 9.3: least g with g >= P g and g + h >= r + P h for all choices."""
    n, actions = mdp.n_states, mdp.n_actions
    owner = np.repeat(np.arange(n), actions)
    kept = mdp.available.ravel()
    stay = sp.csr_array((np.ones(n * actions), (np.arange(n * actions), owner)))
    away = (stay - mdp.matrix)[kept]
    own = sp.csr_array((np.ones(kept.sum()), (np.arange(kept.sum()), owner[kept])), (kept.sum(), n))
    found = linprog(
        np.append(np.ones(n), np.zeros(n)),
        A_ub=-sp.block_array([[away, None], [own, away]]),
        b_ub=-np.append(np.zeros(kept.sum()), reward[owner[kept]]),
        bounds=(None, None),
        method="highs",
    )
    assert found.status == 0
    return found.x[:n]


@pytest.mark.parametrize("name", ["grid", "split", "sparse", "dense"])
def test_the_best_average_solves_the_multichain_linear_program(name):
    generator = np.random.default_rng(5)
    rows = [
        (s, a, int(t), 0.5)
        for s in range(30)
        for a in range(2)
        for t in generator.choice(30, 2, replace=False)
        if s % 6 or a
    ]
    rows += [(s, 0, s, 1.0) for s in range(0, 30, 6)]
    mdp = {
        "grid": slippery(5, 0.1),
        "split": several()["split"],
        "sparse": FiniteMDP.from_coo(30, 2, rows),
        "dense": chance(12, 3, seed=6),
    }[name]
    rewards = generator.random((4, mdp.n_states))
    found = power_limit_average(mdp, rewards=rewards, keep_samples=True)
    for goal, reward in enumerate(rewards):
        exact = best_average_by_linear_program(mdp, reward)
        assert found.samples[goal] == pytest.approx(exact, abs=1e-7)


def solved(table: list[list[Fraction]]) -> list[Fraction]:
    """x of A x = b, exactly, for rows [A, b]."""
    for column in range(len(table)):
        pivot = next(row for row in range(column, len(table)) if table[row][column])
        table[column], table[pivot] = table[pivot], table[column]
        table[column] = [entry / table[column][column] for entry in table[column]]
        for row in range(len(table)):
            factor = table[row][column]
            if row != column and factor:
                table[row] = [
                    a - factor * b for a, b in zip(table[row], table[column], strict=True)
                ]
    return [row[-1] for row in table]


def exact_limit(chain: list[dict[int, Fraction]]) -> np.ndarray:
    """The long run of a chain in rational arithmetic, rounded at the end only."""
    graph = nx.DiGraph([(s, t) for s, row in enumerate(chain) for t in row])
    found = [[Fraction(0)] * len(chain) for _ in chain]
    ended = set()
    for component in map(sorted, nx.attracting_components(graph)):
        table = [
            [chain[t].get(s, Fraction(0)) - (s == t) for t in component] + [Fraction(0)]
            for s in component
        ]
        table[0] = [Fraction(1)] * (len(component) + 1)
        shares = solved(table)
        for state in component:
            for other, share in zip(component, shares, strict=True):
                found[state][other] = share
        ended |= set(component)
    passing = [s for s in range(len(chain)) if s not in ended]
    for target in ended if passing else ():
        table = [
            [(s == t) - chain[s].get(t, Fraction(0)) for t in passing]
            + [sum(p * found[t][target] for t, p in chain[s].items() if t in ended)]
            for s in passing
        ]
        for state, share in zip(passing, solved(table), strict=True):
            found[state][target] = share
    return np.array(found, dtype=float)


def best_of_all_policies(mdp: FiniteMDP, rewards: np.ndarray) -> np.ndarray:
    best = np.full(rewards.shape, -np.inf)
    for policy in itertools.product(*(np.flatnonzero(row) for row in mdp.available)):
        chain = []
        for state, action in enumerate(policy):
            following, chances = mdp.successors(state, int(action))
            exact = [Fraction(float(p)) for p in chances]
            chain.append({int(t): p / sum(exact) for t, p in zip(following, exact, strict=True)})
        best = np.maximum(best, rewards @ exact_limit(chain).T)
    return best


def rare(seed: int, powers: tuple[int, ...]) -> FiniteMDP:
    """Up to 3 successors, whose chances are of very different sizes."""
    generator = np.random.default_rng(seed)
    n, rows = int(generator.integers(2, 5)), []
    for state, action in itertools.product(range(n), range(2)):
        count = int(generator.integers(1, min(3, n) + 1))
        following = generator.choice(n, count, replace=False)
        size = 10.0 ** -generator.choice(powers, count) * generator.uniform(0.5, 1, count)
        size[generator.integers(count)] = 1
        size /= size.sum()
        rows += [(state, action, int(t), p) for t, p in zip(following, size, strict=True)]
    return FiniteMDP.from_coo(n, 2, rows)


@pytest.mark.parametrize(
    "powers",
    [(0, 0, 0, 0), (0, 0, 3, 6), (0, 3, 9, 13), (0, 0, 0, 100), (0, 12, 150, 300)],
    ids=str,
)
def test_the_error_covers_the_best_policy_however_rare_transitions_are(powers):
    tight = 0
    for seed in range(12):
        mdp = rare(seed, powers)
        rewards = np.random.default_rng(seed).random((8, mdp.n_states))
        rewards[4:] = np.floor(3 * rewards[4:])
        found = power_limit_average(mdp, rewards=rewards, keep_samples=True)
        gap = np.abs(found.samples - best_of_all_policies(mdp, rewards)).max()
        assert gap <= found.solver_error
        tight += found.solver_error < 1e-9
    assert tight >= (12 if max(powers) <= 6 else 10 if max(powers) <= 100 else 6)


def test_rows_off_by_what_is_accepted_neither_fail_nor_leave_the_error():
    exact = slippery(4, 0.1)
    rewards = np.random.default_rng(2).random((64, 16))
    off = exact.matrix.toarray().reshape(16, 5, 16)
    off *= 1 + np.random.default_rng(3).uniform(-5e-10, 5e-10, (16, 5, 1))
    found = power_limit_average(FiniteMDP.from_dense(off), rewards=rewards, keep_samples=True)
    plain = power_limit_average(exact, rewards=rewards, keep_samples=True)
    assert 1e-9 < found.solver_error < 1e-7
    assert np.abs(found.samples - plain.samples).max() <= found.solver_error


def test_forced_states_stay_within_what_is_allowed():
    rows = [(0, 0, 1, 1.0), (0, 1, 2, 1.0), (1, 0, 1, 1.0), (2, 0, 2, 1.0)]
    fork = FiniteMDP.from_coo(3, 2, rows)
    law = OnStates([2], Uniform(), 3)
    only = np.array([[True, False]] * 3)
    found = power(fork, discount=0.9, rewards=law, allowed=only)
    assert found.estimate == pytest.approx([0, 0, 1 / 2], abs=1e-6)
    limit = power_limit_average(fork, rewards=law, allowed=only, seed=1)
    assert limit.low[0] <= 0 <= limit.high[0] < 0.01


def test_the_closed_form_of_forced_states_covers_rows_off_by_what_is_accepted():
    loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1 - 5e-10)])
    found = power(loop, discount=0.9999)
    exact = (1 - 0.9999) / 0.9999 * (0.5 / (1 - 0.9999 * (1 - 5e-10)) - 0.5)
    assert abs(exact - 0.5) > 1e-6
    assert found.low[0] <= exact <= found.high[0] <= 0.5 + 1e-5


def test_ways_into_the_same_component_add_up():
    rows = [(0, 0, 1, 0.3), (0, 0, 2, 0.3), (0, 0, 3, 0.4), (1, 0, 2, 1.0), (2, 0, 1, 1.0)]
    mdp = FiniteMDP.from_coo(4, 1, [*rows, (3, 0, 3, 1.0)])
    found = power_limit_average(mdp, rewards=[[0.0, 1.0, 0.0, 0.0]] * 2)
    assert found.estimate == pytest.approx([0.3, 0.5, 0.5, 0], abs=1e-12)


def test_rows_that_all_but_coincide_do_not_dominate_each_other():
    twins = [[1, 0, 0], [1 - 1e-10, 1e-10, 0], [0, 0, 1.0], [0.5, 0, 0.5]]
    assert non_dominated(twins).tolist() == [True, True, True, False]
