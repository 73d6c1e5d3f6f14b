"""Evenly spread goals, controls, running means: each unbiased, each as sharp as it says."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from power_processes import chance, grid, star
from scipy import special, stats
from scipy.stats import qmc

from offswitch.errors import ModelError
from offswitch.mdp.batched.executor import Executor
from offswitch.mdp.batched.lanes import LANES
from offswitch.mdp.batched.plan import plan_solver
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.laws.bernoulli import Bernoulli
from offswitch.theory.laws.beta import Beta
from offswitch.theory.laws.on_states import OnStates
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.power import power
from offswitch.theory.sampling import part_means
from offswitch.theory.sampling.adjusted_mean import PilotSums, adjust, adjusted_range, coefficients
from offswitch.theory.sampling.blocks import Agreement, BlockPart
from offswitch.theory.sampling.contributions import DiscountedGains
from offswitch.theory.sampling.intervals import (
    Paired,
    difference_ends,
    mean_intervals,
    spread_halves,
)
from offswitch.theory.sampling.part_means import PartMeans
from offswitch.theory.sampling.quasi_random import (
    SOBOL_DIMENSIONS,
    IndependentPoints,
    StratifiedPoints,
    sobol_points,
)
from offswitch.theory.sampling.reachable_maximum import (
    control_values,
    reachable_controls,
    reachable_counts,
    successor_lists,
)
from offswitch.theory.sampling.running_mean import Evidence, ReplicateMean
from offswitch.theory.sampling.shape import mean_shape, merge_shapes, shape_of


def sequence(points, replicate: int, pieces: int) -> np.ndarray:
    """[n, D] the points of one replicate."""
    blocks = [points.block(points.replicates * p + replicate) for p in range(pieces)]
    return np.concatenate(blocks, axis=1).T


def test_scrambled_sobol_points_are_the_net_that_scipys_are():
    mine = sobol_points(3, 8, replicates=2, pieces=4)
    for replicate in range(2):
        points = sequence(mine, replicate, 4)
        # Every dyadic interval of length 1/256 holds one of 256 points, in each dimension, and
        # every dyadic square of area 1/64 in the first two holds 4: scipy's have this, too.
        assert (np.sort((points * 256).astype(int), axis=0) == np.arange(256)[:, None]).all()
        cells = (points[:, 0] * 8).astype(int) * 8 + (points[:, 1] * 8).astype(int)
        assert (np.bincount(cells, minlength=64) == 4).all()
        scrambled = qmc.Sobol(8, rng=replicate).random(256)
        chance_points = np.random.default_rng(replicate).random((256, 8))
        assert qmc.discrepancy(points) < 1.5 * qmc.discrepancy(scrambled)
        assert qmc.discrepancy(points) < 0.3 * qmc.discrepancy(chance_points)


def test_sobol_points_have_as_many_dimensions_as_scipy_has_directions_for():
    assert SOBOL_DIMENSIONS == qmc.Sobol.MAXDIM


def test_scrambles_are_independent_and_longer_sequences_continue_shorter_ones():
    short, long = (sobol_points(5, 3, replicates=3, pieces=pieces) for pieces in (2, 50))
    for block in range(6):
        assert (short.block(block) == long.block(block)).all()
    first = [long.block(replicate) for replicate in range(3)]
    assert len({points.tobytes() for points in first}) == 3
    assert sobol_points(6, 3, replicates=1, pieces=1).block(0).tobytes() != first[0].tobytes()
    with pytest.raises(ModelError, match="beyond the 7 bits prepared"):
        short.block(6)


@pytest.mark.parametrize("kind", ["sobol", "stratified", "independent"])
def test_every_point_is_uniform_by_itself(kind):
    blocks = 400
    if kind == "sobol":
        points = sobol_points(1, 2, replicates=blocks, pieces=1)
    else:
        points = (StratifiedPoints if kind == "stratified" else IndependentPoints)(1, 2)
    for lane in (0, 1, 37, 63):
        drawn = np.array([points.block(block)[:, lane] for block in range(blocks)])
        for dimension in range(2):
            assert stats.kstest(drawn[:, dimension], "uniform").pvalue > 1e-3
        assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.17


def test_a_stratified_block_has_one_point_in_each_64th_of_each_dimension():
    points = StratifiedPoints(2, 5).block(7)
    assert (np.sort((points * 64).astype(int), axis=1) == np.arange(64)).all()
    assert len({tuple(np.argsort(row)) for row in points}) == 5


def test_reachable_states_are_counted_as_by_breadth_first_search():
    for seed in range(5):
        graph = nx.gnp_random_graph(30, 0.05, seed=seed, directed=True)
        mdp = FiniteMDP.from_graph(graph)
        looped = nx.DiGraph(graph)
        looped.add_edges_from((n, n) for n in graph if graph.out_degree(n) == 0)
        structure = plan_solver(mdp, 0.9, tolerance=1e-3).structure
        counts = reachable_counts(*successor_lists(structure))
        for depth in (1, 2, 3, 9, 0):
            if depth not in counts:
                continue
            for place, state in enumerate(structure.order):
                ahead = set()
                for node in looped.successors(int(state)):
                    near = nx.single_source_shortest_path_length(
                        looped, node, cutoff=depth - 1 if depth else None
                    )
                    ahead |= set(near)
                assert counts[depth][place] == len(ahead)


@pytest.mark.parametrize("mdp", [grid(4), chance(), star(3)], ids=["grid", "chance", "star"])
@pytest.mark.parametrize("law", [Uniform(), Beta(2, 5)], ids=str)
def test_controls_are_the_largest_reachable_rewards_and_have_the_means_they_declare(mdp, law):
    structure = plan_solver(mdp, 0.9, tolerance=1e-3).structure
    controls = reachable_controls(structure, law)
    points = IndependentPoints(0, mdp.n_states)
    seen = np.concatenate(
        [
            [v.copy() for v in control_values(controls, law.rewards(points.block(b)))]
            for b in range(40)
        ],
        axis=2,
    )
    error = seen.std(axis=2, ddof=1) / np.sqrt(seen.shape[2])
    assert (np.abs(seen.mean(axis=2) - controls.means) <= 4.5 * error + 1e-9).all()
    if controls.depths[-1] == 0 and mdp.n_states == 16:
        everywhere = law.rewards(points.block(0)).max(axis=0)
        assert (seen[-1][:, :64] == everywhere).all()


def test_rewards_that_are_not_alike_are_their_own_only_control():
    structure = plan_solver(star(2), 0.9, tolerance=1e-3).structure
    controls = reachable_controls(structure, OnStates([0, 1], Uniform(), 3))
    assert controls.depths == ()
    assert sorted(controls.means[0]) == [0, 0.5, 0.5]


def test_coefficients_are_those_of_least_squares_and_constants_get_none():
    generator = np.random.default_rng(0)
    control = generator.normal(size=(3, 2, 500))
    control[2, 1] = 7e-3  # does not vary in the pilot
    gain = 2 * control[0] - 3 * control[1] + 0.1 * generator.normal(size=(2, 500))
    sums = PilotSums(
        500,
        gain.sum(axis=1),
        control.sum(axis=2),
        np.einsum("sl,ksl->ks", gain, control),
        np.einsum("jsl,ksl->jks", control, control),
    )
    found = coefficients(sums)
    design = np.column_stack([np.ones(500), *control[:, 0]])
    exact = np.linalg.lstsq(design, gain[0], rcond=None)[0][1:]
    assert found[:, 0] == pytest.approx(exact, abs=1e-3)
    assert found[2, 1] == 0


def test_a_gain_that_controls_explain_comes_out_constant_and_mixes_that_hardly_vary_get_nothing():
    generator = np.random.default_rng(1)
    control = generator.normal(size=(3, 1, 256))
    control[2] = control[1] + 1e-4 * generator.normal(size=256)
    gain = 0.3 * control[0] + 0.7 * control[1]
    sums = PilotSums(
        256,
        gain.sum(axis=1),
        control.sum(axis=2),
        np.einsum("sl,ksl->ks", gain, control),
        np.einsum("jsl,ksl->jks", control, control),
    )
    found = coefficients(sums)[:, 0]
    rest = gain - np.einsum("k,ksl->sl", found, control)
    assert found[0] == pytest.approx(0.3, abs=1e-4)
    assert found[1:] == pytest.approx(0.35, abs=1e-3)  # shared, as the two are told apart by noise
    assert np.ptp(rest) < 1e-3
    alone = coefficients(
        PilotSums(256, sums.gain, sums.control[:2], sums.gain_control[:2],
                  sums.control_control[:2, :2])
    )  # fmt: skip
    assert alone[:, 0] == pytest.approx([0.3, 0.7], abs=1e-12)


def test_evenly_drawn_goals_count_as_less_skewed_by_the_variance_that_evenness_takes():
    values = np.random.default_rng(2).exponential(size=(1, 16 * LANES))
    parts = values.reshape(16, LANES).mean(axis=1)
    for spread in (1.0, 0.25):
        running = ReplicateMean(1, replicates=16)
        for block in range(16):
            own = values[:, LANES * block : LANES * (block + 1)]
            mean = np.array([parts.mean() + np.sqrt(spread) * (parts[block] - parts.mean())])
            running.add(BlockPart(LANES, mean, own.var(axis=1), 0.0, None, None, shape_of(own)))
        found = running.evidence()
        plain = mean_shape(shape_of(values))
        share = min(found.standard_error[0] ** 2 / (values.var(ddof=1) / values.size), 1)
        assert share == 1 or spread < 1
        assert found.shape.skewness == pytest.approx(share * plain.skewness)
        assert found.shape.excess == pytest.approx(share * plain.excess)
        if spread < 1:
            assert share < 0.7


def test_a_difference_that_few_shares_show_is_known_as_well_as_by_its_states_or_by_the_reserve():
    parts = np.full(16, 0.3)
    reserve = special.betaincinv(1, 1024, 0.975)
    for apart, expected in (
        ((0.2, 0.4), (0.3 - reserve * 2.3, 0.3 + reserve * 1.7)),
        ((0.2999, 0.3001), (0.2999, 0.3001)),
    ):
        ends = difference_ends(Paired(parts, 1024, 0.0, 2.0, apart), level=0.95)
        assert ends == pytest.approx(expected)
    # Shares that differ are believed, whatever the two states' intervals are.
    spread = np.linspace(0.29, 0.31, 16)
    half = stats.t.ppf(0.975, 15) * stats.sem(spread)
    ends = difference_ends(Paired(spread, 1024, 0.0, 2.0, (0.2999, 0.3001)), level=0.95)
    assert ends == pytest.approx((0.3 - half, 0.3 + half))


@pytest.mark.slow
@pytest.mark.parametrize("discount", [0.5, 0.9, 0.99, 0.999])
def test_variance_reduction_pays_at_least_threefold_for_equally_many_solves(discount):
    mdp, goals = grid(10), 1280  # of which 256 are the pilot's
    truth = power(mdp, discount=discount, samples=2**16, seed=10**6).estimate

    def error(*, reduced: bool) -> float:
        found = [
            power(
                mdp, discount=discount, samples=goals, seed=seed, variance_reduction=reduced,
                executor=Executor(workers=1),
            ).estimate
            for seed in range(40)
        ]  # fmt: skip
        return float(((np.array(found) - truth) ** 2).mean())

    assert error(reduced=False) > 3 * error(reduced=True)


@pytest.mark.slow
def test_large_processes_are_sampled_in_stratified_or_compiled_blocks(monkeypatch):
    truth = power(grid(10), discount=0.9, samples=2**14, seed=5)
    monkeypatch.setattr("offswitch.theory.sampling.schemes.SOBOL_DIMENSIONS", 50)
    stratified = power(
        grid(10), discount=0.9, rewards=Beta(1, 1), half_width=0.004, seed=1, level=0.9999
    )
    assert "stratified" in stratified.method
    assert (np.abs(stratified.estimate - truth.estimate) < 0.004).all()
    monkeypatch.setattr("offswitch.theory.sampling.schemes.COMPILED_STATES", 50)
    monkeypatch.setattr("offswitch.theory.sampling.schemes.KEPT_ENTRIES", 0)
    compiled = power(grid(10), discount=0.9, half_width=0.004, seed=1, level=0.9999)
    plain = power(
        grid(10), discount=0.9, samples=compiled.n, seed=1, keep_samples=True, level=0.9999
    )
    assert compiled.method == "t over independent goals"
    slack = compiled.solver_error + plain.solver_error
    assert compiled.estimate == pytest.approx(plain.estimate, abs=slack)
    assert compiled.high == pytest.approx(plain.high, abs=1e-2 * slack + 1e-4)
    assert compiled.difference(0, 55).high < 0


@pytest.mark.parametrize("most", [16, 9])
def test_parts_are_joined_when_memory_is_full_and_keep_their_mean(most, monkeypatch):
    monkeypatch.setattr(part_means, "MOST_ENTRIES", 2 * most)
    units = np.random.default_rng(0).random((200, 2))
    parts = PartMeans(2)
    parts.add(units)
    table = parts.table
    assert 4 <= len(table) <= most and parts.size > 1
    whole = units[: len(table) * parts.size].reshape(len(table), parts.size, 2)
    assert table == pytest.approx(whole.mean(axis=1), abs=1e-12)


def test_replicates_are_the_units_of_the_t_interval_and_rounds_count_when_complete():
    running = ReplicateMean(1, replicates=4)
    means = np.array([[0.1, 0.2, 0.4, 0.1], [0.3, 0.2, 0.2, 0.5]])
    for number, mean in enumerate(means.ravel()):
        one = np.full(1, mean)
        running.add(BlockPart(64, one, one, 0.001 * number, None, None))
        assert running.n == 4 * 64 * ((number + 1) // 4)
    running.add(BlockPart(64, np.ones(1), np.ones(1), 9.0, None, None))
    found = running.evidence()
    replicates = means.mean(axis=0)
    assert (found.n, found.degrees, found.error) == (512, 3, 0.007)
    assert found.mean[0] == pytest.approx(replicates.mean())
    assert found.standard_error[0] == pytest.approx(stats.sem(replicates))
    assert found.parts[:, 0] == pytest.approx(replicates)


def test_adjusted_gains_stay_between_the_ends_that_intervals_rely_on():
    mdp, law = grid(3), Uniform(-1, 2)
    gains = DiscountedGains(plan_solver(mdp, 0.9, tolerance=1e-3))
    controls = reachable_controls(gains.structure, law)
    coefficient = np.random.default_rng(0).normal(size=controls.means.shape)
    low, high = adjusted_range(controls, coefficient, law.bounds)
    seen = np.concatenate(
        [
            adjust(controls, coefficient, gains.of(law.rewards(IndependentPoints(0, 9).block(b))))
            for b in range(8)
        ],
        axis=1,
    )
    assert (low <= seen.min(axis=1)).all() and (seen.max(axis=1) <= high).all()
    # Only the rewards' range, times what it enters with, lies between them.
    assert high - low == pytest.approx(3 * (1 + np.abs(coefficient).sum(axis=0)))


def evidence(above: int, below: int, *, n: int = 1000, error: float = 0.001) -> Evidence:
    one = np.ones(1)
    agreement = Agreement(0.2 * one, np.array([above]), np.array([below]))
    return Evidence(n, 0.25 * one, 0.01 * one, 15, error, agreement, one[None])


def test_few_goals_that_differ_are_not_believed_for_their_spread():
    extremes = np.zeros(1), np.ones(1)
    rise = special.betaincinv(4, 997, 0.975)
    fall = special.betaincinv(1, 1000, 0.975)
    low, high = mean_intervals(evidence(3, 0), extremes, level=0.95)
    assert low[0] == pytest.approx(0.2 - 0.2 * fall - 0.001)
    assert high[0] == pytest.approx(0.2 + 0.8 * rise + 0.001)
    low, high = mean_intervals(evidence(8, 0), extremes, level=0.95)
    assert high[0] - 0.25 == pytest.approx(stats.t.ppf(0.975, 15) * 0.01 + 0.001)
    with pytest.raises(ModelError, match="law of rewards has no bounds"):
        mean_intervals(evidence(0, 0), None, level=0.95)


def test_simultaneous_intervals_are_bonferronis():
    _, high = mean_intervals(evidence(500, 0), None, level=0.95, intervals=100)
    assert high[0] == pytest.approx(0.25 + stats.t.ppf(1 - 0.05 / 200, 15) * 0.01 + 0.001)


def test_shapes_merge_to_those_of_all_goals_and_agree_with_scipy():
    values = np.random.default_rng(0).gamma(0.3, size=(3, 200))
    merged = shape_of(values[:, :64])
    for first, last in ((64, 70), (70, 200)):
        merged = merge_shapes(merged, shape_of(values[:, first:last]))
    for one, other in zip(merged, shape_of(values), strict=True):
        assert one == pytest.approx(other, rel=1e-12)
    found = mean_shape(merged)
    skewness = stats.skew(values, axis=1, bias=False)
    assert found.skewness * np.sqrt(200) == pytest.approx(skewness, rel=0.01)
    kurtosis = stats.kurtosis(values, axis=1) * (199 / 200) ** 2
    assert found.excess * 200 == pytest.approx(kurtosis, rel=0.02)


@pytest.mark.parametrize("hits", [10, 40])
def test_the_interval_of_rare_equal_goals_holds_garwoods_for_their_number(hits):
    values = np.zeros((1, 100_000))
    values[0, :hits] = 1
    error = values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
    below, above = spread_halves(error, 10**6, mean_shape(shape_of(values)), 0.025)
    exact = stats.gamma.ppf([0.025, 0.975], [hits, hits + 1]) / values.shape[1]
    mean = hits / values.shape[1]
    assert mean - below[0] <= exact[0] + 1e-3 * mean
    assert exact[1] <= mean + above[0] <= 1.25 * exact[1]


def test_more_goals_must_differ_where_more_intervals_are_to_hold_at_once():
    extremes = np.zeros(1), np.ones(1)
    rise = special.betaincinv(13, 1000 - 12, 1 - 0.025 / 1000)
    _, high = mean_intervals(evidence(12, 0), extremes, level=0.95, intervals=1000)
    assert high[0] == pytest.approx(0.2 + 0.8 * rise + 0.001)


def stars() -> FiniteMDP:
    """A hub that may go to a leaf or wait at a gate, from which there are more leaves."""
    rows = [(0, a, 2 + a, 1.0) for a in range(3)] + [(0, 3, 1, 1.0)]
    rows += [(1, a, 5 + a, 1.0) for a in range(4)] + [(s, 0, s, 1.0) for s in range(2, 9)]
    return FiniteMDP.from_coo(9, 4, rows)


@pytest.mark.slow
def test_an_interval_for_rare_rewards_holds_its_own_estimate():
    for seed in range(270, 300):
        found = power(stars(), discount=0.9, rewards=Bernoulli(0.005), half_width=0.006, seed=seed)
        assert (found.low <= found.estimate).all()
        assert (found.estimate <= found.high).all()


def test_replicates_that_stand_above_the_rest_differ_even_where_no_goal_stands_above_the_common():
    """One rare goal each in 10 of 16 replicates: 6 without it stand above the median."""
    running = ReplicateMean(1, replicates=16)
    for replicate in range(16):
        rare = replicate < 10
        running.add(
            BlockPart(
                n=LANES, mean=np.array([1.0 - rare / LANES]), m2=np.zeros(1), error=0.0,
                agreement=Agreement(np.ones(1), np.zeros(1, int), np.array([int(rare)])),
                values=None, shape=None,
            )
        )  # fmt: skip
    found = running.evidence().agreement
    assert found is not None
    assert found.common[0] == 1 - 1 / LANES
    assert found.above[0] == 8  # -16 log(1 - 6/16) goals fell into 6 of 16 replicates
    assert found.below[0] == 0
