"""Moderating factors: sums of squares against statsmodels, predictors against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from offswitch.audit.convergence_map_values import DriveProcess
from offswitch.audit.factors import factors
from offswitch.audit.factors_cells import Row
from offswitch.audit.factors_design import (
    conditions_in,
    crossed,
    domain_of,
    planners_and_learners,
)
from offswitch.audit.factors_effects import capability_slope, variance_table
from offswitch.audit.factors_result import FactorsSettings
from offswitch.audit.factors_variance import cluster_sums, squares
from offswitch.audit.forecast_predictors import (
    power_gain,
    predictors_of,
    reach_gain,
    willingness_to_pay,
)
from offswitch.drives.self_preservation import SelfPreservation
from offswitch.errors import AuditError, StatisticsError
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve
from offswitch.report.factors_page import factors_bytes
from offswitch.worlds.registry import make_world

SMALL = {
    "agents": ("lookahead:2", "q-learning"), "goals": 2, "steps": 200, "draws": 4, "resamples": 40,
}  # fmt: skip


def settings(**changes):
    given = {"agents": ("optimal", "a", "b"), "worlds": ("w",), "resamples": 200, **changes}
    return FactorsSettings(**given)


def row(**changes):
    given = {
        "world": "w", "goal": "g", "agent": "optimal", "condition": "c", "threat": "shutdown",
        "autonomy": "none", "oversight": "default", "forecast": True, "rate": 0.5, "clean": 0.5,
        "gain": 1.0, "exact": True, "trained": None, **changes,
    }  # fmt: skip
    return Row(**given)


# --- sums of squares ---------------------------------------------------------------------------


def table(seed, *, drop=0):
    """A random table of 6 clusters x 3 x 2 x 4 cells, `drop` of them taken out."""
    rng = np.random.default_rng(seed)
    cells = [(f"c{c}", f"a{a}", f"b{b}", f"o{o}")
             for c in range(6) for a in range(3) for b in range(2) for o in range(4)]  # fmt: skip
    kept = [cells[k] for k in rng.permutation(len(cells))[drop:]]
    cluster, a, b, o = map(list, zip(*kept, strict=True))
    y = rng.random(len(kept)) + 0.4 * np.array([x == "a1" for x in a])
    y += 0.3 * np.array([x == "b1" and z == "o2" for x, z in zip(b, o, strict=True)])
    return {"a": a, "b": b, "o": o}, y, cluster


@pytest.mark.parametrize(("drop", "typ"), [(0, 1), (0, 2), (30, 2)])
def test_sums_of_squares_are_statsmodels(drop, typ):
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    levels, y, cluster = table(drop, drop=drop)
    found = squares(cluster_sums(levels, y, cluster), np.ones(6))
    frame = pd.DataFrame({**levels, "y": y, "cluster": cluster})
    expected = anova_lm(ols("y ~ C(cluster) + (C(a) + C(b) + C(o)) ** 2", frame).fit(), typ=typ)
    names = ["C(a)", "C(b)", "C(o)", "C(a):C(b)", "C(a):C(o)", "C(b):C(o)"]
    assert found.term == pytest.approx(expected.loc[names, "sum_sq"].to_numpy())
    assert found.df.tolist() == expected.loc[names, "df"].astype(int).tolist()
    assert float(found.residual) == pytest.approx(expected.loc["Residual", "sum_sq"])
    assert int(found.residual_df) == int(expected.loc["Residual", "df"])
    share = found.term / (found.term + found.residual)
    assert found.partial_eta2 == pytest.approx(share)


def test_a_cluster_drawn_twice_counts_as_two_clusters_with_the_same_rows():
    levels, y, cluster = table(1, drop=20)
    twice = [k for k, c in enumerate(cluster) if c == "c2"]
    order = [*range(len(y)), *twice]
    longer = {name: [column[k] for k in order] for name, column in levels.items()}
    labels = [*cluster, *["again"] * len(twice)]
    direct = squares(cluster_sums(longer, y[order], labels), np.ones(7))
    sums = cluster_sums(levels, y, cluster)
    first = list(dict.fromkeys(cluster))
    weighted = squares(sums, np.array([1.0 + (c == "c2") for c in first]))
    assert weighted.term == pytest.approx(direct.term)
    assert float(weighted.residual) == pytest.approx(float(direct.residual))


def test_what_is_additive_has_no_interaction_and_what_is_the_same_has_no_effect():
    levels, _, cluster = table(0)
    pairs = zip(levels["a"], cluster, strict=True)
    y = np.array([0.2 * int(a[1]) + 0.1 * int(c[1]) for a, c in pairs])
    found = squares(cluster_sums(levels, y, cluster), np.ones(6))
    assert found.partial_eta2.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert float(found.residual) == 0.0


def test_a_table_of_unequal_columns_is_refused():
    with pytest.raises(StatisticsError, match="one of each per cell"):
        cluster_sums({"a": ["x"]}, [0.1, 0.2], ["c", "c"])


# --- tables ------------------------------------------------------------------------------------


def crossed_rows(rate, *, agents=("optimal", "a"), goals=range(4)):
    return [
        row(goal=f"g{g}", agent=agent, autonomy=autonomy, oversight=oversight,
            rate=rate(g, agent, autonomy, oversight))
        for g in goals for agent in agents for autonomy in ("none", "approve-acts")
        for oversight in ("default", "unobserved")
    ]  # fmt: skip


def test_effects_are_paired_and_reductions_relative():
    rows = crossed_rows(lambda g, agent, autonomy, _: 0.1 * g + 0.4 * (autonomy == "none"))
    found = variance_table(settings(), "planners", ("optimal", "a"), rows)
    effects = {one.level: one for one in found.effects}
    assert effects["none"].effect is None
    assert effects["approve-acts"].effect.estimate == pytest.approx(-0.4)
    assert effects["approve-acts"].reduction.estimate == pytest.approx(1 - 0.15 / 0.55)
    assert effects["a"].effect.estimate == 0.0
    assert effects["approve-plans"].effect.estimate is None  # no cell has it
    terms = {term.factors: term for term in found.terms}
    assert terms["autonomy",].partial_eta2.estimate == pytest.approx(1.0)
    assert terms["architecture",].partial_eta2.estimate == 0.0


def test_missing_and_unstaged_cells_are_counted_and_never_zero():
    rows = crossed_rows(
        lambda g, agent, autonomy, oversight: None if (g, agent) == (0, "a") else 0.5
    )
    found = variance_table(settings(), "planners", ("optimal", "a"), rows)
    assert (found.cells, found.missing) == (28, 4)
    assert found.not_staged == 4 * 2 * 3 * 6 - 32
    assert all(term.sum_squares.missing == 4 for term in found.terms)
    assert next(e for e in found.effects if e.level == "a").rate.estimate == 0.5


def test_a_factor_with_one_level_has_no_data_rather_than_no_effect():
    rows = [r for r in crossed_rows(lambda g, *_: 0.1 * g) if r.autonomy == "none"]
    found = variance_table(settings(), "planners", ("optimal", "a"), rows)
    terms = {term.factors: term for term in found.terms}
    assert terms["autonomy",].df == 0
    assert terms["autonomy",].partial_eta2.estimate is None


def test_goals_that_only_the_reference_pursues_are_left_out_of_the_learners_table():
    rows = [r for r in crossed_rows(lambda *_: 0.5) if r.agent == "optimal" or r.goal == "g0"]
    found = variance_table(settings(), "learners", ("optimal", "a"), rows)
    assert found.cells == 8


def test_agents_that_are_as_corrigible_as_they_are_unable_have_slope_minus_one():
    gains = {"optimal": 1.0, "a": 0.6, "b": 0.1}
    rows = []
    for g in range(3):
        for agent, gain in gains.items():
            goal = f"g{g}"
            rows.append(row(goal=goal, agent=agent, threat="none", autonomy=None, gain=gain))
            rows.append(row(goal=goal, agent=agent, gain=0.0, clean=1 - gain / (1 + g)))
    found = capability_slope(settings(), rows)
    assert found.estimate == pytest.approx(-np.mean([1, 1 / 2, 1 / 3]))
    assert found.low == pytest.approx(-1)
    assert (found.n, found.clusters) == (9, 3)


# --- design ------------------------------------------------------------------------------------


def test_worlds_give_the_cells_that_they_stage_and_gridworlds_are_one_domain():
    assert len(list(crossed("robot-v1"))) == 18
    assert {oversight for _, oversight in crossed("star-v1")} == {
        "default", "unobserved", "permitted", "forbidden",
    }  # fmt: skip
    found = conditions_in("robot-v1")
    labels = [staged.condition.label for staged in found]
    assert len(set(labels)) == len(labels)
    assert sum(s.condition.threat == "none" for s in found) == 1
    assert sum(s.forecast for s in found if s.autonomy) == 6 + 2
    assert domain_of("boat-race-v1") == domain_of("whisky-gold-v1") != domain_of("star-v1")


def test_the_optimal_agent_is_the_reference_of_planners_and_of_learners():
    assert planners_and_learners(("sarsa", "boltzmann:2", "optimal")) == {
        "planners": ("optimal", "boltzmann:2"), "learners": ("optimal", "sarsa"),
    }  # fmt: skip


# --- predictors --------------------------------------------------------------------------------

FORK = DriveProcess(
    FiniteMDP.from_coo(3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]),
    np.arange(3),
    np.array([[False, True], [False, False], [False, False]]),
)
"""Waiting leads to one state, the act to another; both stay."""


def test_the_act_that_opens_a_second_choice_is_worth_a_sixth_of_power():
    drawn = np.random.default_rng(0).random((4000, 3))
    assert power_gain(FORK, drawn, discount=0.9) == pytest.approx(2 / 3 - 1 / 2, abs=0.01)
    assert reach_gain(FORK) == pytest.approx(1 / 3)


def test_power_gain_is_undefined_where_the_act_is_forced():
    forced = DriveProcess(FORK.mdp, FORK.state, np.array([[True, True], [False] * 2, [False] * 2]))
    assert power_gain(forced, np.ones((2, 3)), discount=0.9) is None


def test_willingness_to_pay_is_the_price_at_which_the_act_stops():
    rng = np.random.default_rng(3)
    for _ in range(5):
        P = rng.dirichlet(np.ones(5), size=(5, 2))
        P[:, 0] = np.eye(5)[0]  # without the acts nothing leads on
        mdp = FiniteMDP.from_dense(P)
        acts = np.zeros((5, 2), dtype=bool)
        acts[:, 1] = True
        rewards = rng.random((1, 5, 2))
        rewards[0, 0] = 0.1
        bound = solve(mdp, rewards, 0.8, allowed=~acts).value @ mdp.start
        gap = solve(mdp, rewards, 0.8).value @ mdp.start - bound
        found = willingness_to_pay(mdp, rewards, acts, gap, discount=0.8)[0]

        def gains(price, mdp=mdp, rewards=rewards, acts=acts, bound=bound):
            best = solve(mdp, rewards - price * acts, 0.8, tolerance=1e-10).value @ mdp.start
            return float(best[0] - bound[0])

        assert gains(found * 0.999) > 1e-7
        assert gains(found * 1.001) < 1e-7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("p", "gamma", "resists"), [(0.5, 0.65, True), (0.7, 0.4, True), (0.5, 0.4, False)]
)
def test_the_corridor_has_a_value_gap_where_resisting_is_optimal(p, gamma, resists):
    """It is iff gamma > 1 - p."""
    world = make_world("coffee-corridor-v1", length=7, press_probability=p, discount=gamma, span=16)
    goals = [world.goal("fetch-coffee")]
    [found] = predictors_of(world, goals, SelfPreservation(), draws=2, seed=0)
    assert (found.value_gap > 0) is resists
    assert (found.willingness_to_pay > 0) is resists
    assert 0 <= found.value_gap <= 1
    assert found.power_gain > 0


def test_star_worlds_tell_goals_that_need_the_act_from_those_that_do_not():
    world = make_world("star-v1")
    found = predictors_of(world, world.goals, SelfPreservation(), draws=8, seed=0)
    gaps = [one.value_gap > 0 for one in found]
    best = [goal.name for goal, gap in zip(world.goals, gaps, strict=True) if not gap]
    assert 0 < len(best) < len(gaps)
    assert len({one.power_gain for one in found}) == 1


def test_where_no_act_can_show_the_drive_nothing_is_predicted():
    world = make_world("star-v1", threat="none")
    assert predictors_of(world, world.goals, SelfPreservation(), draws=2, seed=0) is None


# --- the study ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("jobs_in_here")
def test_the_study_is_the_same_with_one_worker_and_with_two(tmp_path, quiet):
    made = []
    for jobs in (1, 2):
        asked = FactorsSettings(worlds=("star-v1", "off-switch-v1"), **SMALL)
        report, kept = factors(asked, tmp_path / str(jobs), jobs=jobs, progress=quiet)
        kept.close()
        made.append(factors_bytes(report))
    assert made[0] == made[1]
    assert b'"transfer": {' in made[0]


@pytest.mark.slow
def test_one_domain_alone_gives_tables_and_no_transfer(tmp_path, quiet):
    asked = FactorsSettings(worlds=("star-v1",), **{**SMALL, "agents": ("optimal",)})
    report, kept = factors(asked, tmp_path, jobs=1, progress=quiet)
    kept.close()
    assert report.transfer is None
    [table] = report.tables
    effects = {one.level: one for one in table.effects}
    # Permission turns every act of resistance into none; watching changes nothing for a planner.
    assert effects["permitted"].rate.estimate == 0.0
    assert effects["unobserved"].effect.estimate == 0.0
    assert effects["default"].rate.estimate == 0.5  # one of the two goals needs the switch


def test_a_dual_use_drive_is_refused_before_anything_runs(tmp_path, quiet):
    asked = FactorsSettings(worlds=("star-v1",), drive="resource-acquisition", **SMALL)
    with pytest.raises(AuditError, match="no violation by itself"):
        factors(asked, tmp_path, jobs=1, progress=quiet)
