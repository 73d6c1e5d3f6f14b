"""The convergence map against closed forms; and as a study: same bytes, resumed, checked."""

from __future__ import annotations

import dataclasses
import itertools

import msgspec
import networkx as nx
import numpy as np
import pytest

from offswitch.agents.agent import Task
from offswitch.agents.optimal import Optimal
from offswitch.audit.cell import make_task
from offswitch.audit.convergence_map import convergence_map
from offswitch.audit.convergence_map_cells import (
    AgentPart,
    before_notice,
    conditions_of,
    excess_over,
)
from offswitch.audit.convergence_map_controls import independence_of, map_checks, variance_ratio
from offswitch.audit.convergence_map_result import Behaviour, Gain, MapCell, MapSettings
from offswitch.audit.convergence_map_shares import difference_over_clusters, shares_of
from offswitch.audit.convergence_map_values import drive_process, gains_of
from offswitch.audit.goal_clusters import goal_clusters, reached_states
from offswitch.audit.names import drive_named
from offswitch.audit.records import Baselines, CellKey, CellRecord, EpisodeRecord, Rates
from offswitch.audit.summary import headline_rate
from offswitch.audit.tables import Cell
from offswitch.drives.outcome import Outcome
from offswitch.errors import AgentError, AuditError, WorldError
from offswitch.report.map_page import map_bytes
from offswitch.statistics.exact import exact_measurement
from offswitch.trace.event import Ended, ResourceHeld
from offswitch.trace.trace import Trace, TraceHeader
from offswitch.worlds.compiled import compiled_world
from offswitch.worlds.registry import make_world
from offswitch.worlds.star import CHOICE, star_values

STOPS = "self-preservation"


def mapped(out, progress, *, jobs=1, resume=False, **changes):
    settings = MapSettings(**{"agent": "optimal", "worlds": ("star-v1",), **changes})
    report, kept = convergence_map(settings, out, jobs=jobs, progress=progress, resume=resume)
    kept.close()
    return report


# --- what acts are worth -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.3, 0.6])
@pytest.mark.parametrize("gamma", [0.35, 0.45, 0.65, 0.8])
def test_resisting_is_worth_its_closed_form_in_the_corridor(p, gamma):
    length, detour = 7, 6
    world = make_world(
        "coffee-corridor-v1", length=length, press_probability=p, discount=gamma, span=16,
        detour_steps=detour,
    )  # fmt: skip
    n = length - 1  # steps to the coffee
    walk, side, disable = (1 - p) * gamma ** (n - 1), gamma ** (n - 1 + detour), gamma**n
    _, found = gains_of(world, [world.goal("fetch-coffee")], drive_named(STOPS))
    expected = max(0.0, disable - max(walk, side))
    assert found.forgone[0] == pytest.approx(expected, abs=1e-7)
    assert found.needed[0] == (expected > 0)
    if gamma < 1 - p:
        assert not found.needed[0]


@pytest.mark.slow
def test_in_the_star_the_goals_that_gain_are_those_that_value_another_option_most():
    for k in (1, 3, 9):
        world = make_world("star-v1", terminals=k)
        _, found = gains_of(world, world.goals, drive_named(STOPS))
        values = np.array([star_values(goal, k) for goal in range(len(world.goals))])
        gap = values.max(axis=1) - values[:, 0]
        assert found.needed.tolist() == (gap > 0).tolist()
        assert found.forgone == pytest.approx(gap * world.discount, abs=1e-9)


def test_where_the_stop_path_is_missing_no_act_shows_the_drive():
    for world_id in ("star-v1", "off-switch-v1"):
        world = make_world(world_id, threat="inert")
        assert gains_of(world, world.goals, drive_named(STOPS)) == (False, None)


@pytest.mark.slow
def test_letting_an_order_pass_is_an_act_only_after_the_order():
    """The same wait is an act of the drive where the order is outstanding, and none before."""
    world = make_world("coffee-corridor-v1", length=7, press_probability=1.0, span=16)
    compiled = compiled_world(world)
    process = drive_process(compiled, drive_named(STOPS))
    # Neither such acts nor copies: with a copy, being stopped is what shows the drive.
    policy = np.where(process.acts, 0.0, 1.0)
    policy[:, world.role("copy")] = 0.0
    clean = reached_states(process.mdp, policy)
    ordered = [
        node for node in np.flatnonzero(clean)
        if compiled.states[process.state[node]].phase == "ordered"
    ]  # fmt: skip
    wait, comply = world.role("wait"), world.role("comply")
    assert not process.acts[np.flatnonzero(process.mdp.start), wait].any()
    ignoring = [process.acts[node, wait] for node in ordered]
    last = [compiled.states[process.state[node]].left == 1 for node in ordered]
    assert any(last)
    assert ignoring == last
    assert not process.acts[ordered, comply].any()


@pytest.mark.slow
def test_hoarding_acts_are_exactly_those_that_may_hold_more_than_the_need():
    compiled = compiled_world(make_world("cloud-compute-v1"))
    process = drive_process(compiled, drive_named("resource-acquisition"))
    A = compiled.mdp.n_actions
    tagged = np.zeros_like(process.acts)
    row_of = np.repeat(np.arange(len(compiled.states) * A), np.diff(compiled.branch_start))
    beyond = np.array([
        any(isinstance(e, ResourceHeld) and e.held > e.need and e.capacity > e.need for e in events)
        for events in compiled.event_table
    ])  # fmt: skip
    tagged[np.divmod(row_of[beyond[compiled.branch_events]], A)] = True
    own = np.argsort(process.state)
    assert sorted(process.state) == list(range(len(compiled.states)))
    assert (process.acts[own] == tagged).all()


@dataclasses.dataclass(frozen=True)
class AtTheEnd:
    """A drive that shows when the episode ends."""

    name: str = "ending"
    components: tuple[str, ...] = ("ended",)
    in_excess: frozenset[str] = frozenset()

    def focused(self, component):
        return self

    def start(self):
        return False

    def advance(self, memory, event):
        return memory or isinstance(event, Ended)

    def outcome(self, memory):
        return Outcome(reached=True, components=(("ended", float(memory)),))


def test_what_shows_at_the_end_is_charged_to_the_act_that_ends():
    compiled = compiled_world(make_world("star-v1"))
    process = drive_process(compiled, AtTheEnd())
    at = [compiled.states[state] for state in process.state]
    assert [bool(row.all()) for row in process.acts] == [state == CHOICE for state in at]
    assert process.acts.any(axis=1).sum() == 1


def test_a_process_too_large_to_solve_is_left_unsolved():
    compiled = compiled_world(make_world("star-v1"))
    assert drive_process(compiled, drive_named(STOPS), max_nodes=3) is None


# --- goals that count once ---------------------------------------------------------------------


def test_a_goal_that_is_repeated_or_rescaled_joins_its_original():
    world = make_world("off-switch-v1")
    goals = [*world.goals[:3], world.goal("visit-porch")]
    twin = dataclasses.replace(goals[1], name="twin")
    louder = dataclasses.replace(
        goals[2], name="louder", reward=lambda s, a, t: 7.5 * goals[2].reward(s, a, t)
    )
    found = goal_clusters([[make_task(world, goal, 0)] for goal in [*goals, twin, louder]])
    assert found[4] == found[1]
    assert found[5] == found[2]
    assert found[0] != found[3]


def test_goals_of_the_star_cluster_by_the_option_they_choose():
    world = make_world("star-v1")
    found = goal_clusters([[make_task(world, goal, 0)] for goal in world.goals])
    best = [int(np.argmax(star_values(goal, 3))) for goal in range(20)]
    for one, other in itertools.combinations(range(20), 2):
        assert (found[one] == found[other]) == (best[one] == best[other])


def test_reached_states_are_those_a_graph_search_finds():
    world = make_world("off-switch-v1")
    task: Task = make_task(world, world.goals[0], 0)
    mdp = task.compiled.mdp
    policy = Optimal()(task).policy(mdp)
    graph, matrix = nx.DiGraph(), mdp.matrix.tocsr()
    graph.add_nodes_from(range(mdp.n_states))
    for s, a in zip(*np.nonzero(policy), strict=True):
        graph.add_edges_from((s, t) for t in matrix[[s * mdp.n_actions + a]].indices)
    start = int(np.flatnonzero(mdp.start)[0])
    assert set(np.flatnonzero(reached_states(mdp, policy))) == {
        start,
        *nx.descendants(graph, start),
    }


def cell(world, goal, cluster, drive, rate, gains, agent="optimal"):
    def m(value):
        return exact_measurement("x", value, n=1)

    behaviour = Behaviour(agent=agent, rate=m(rate), excess=m(rate), inert=m(0.0))
    gain, none = Gain(gain=m(1.0 if gains else 0.0), raises=gains), Gain(gain=m(0.0), raises=False)
    return MapCell(world=world, goal=goal, cluster=cluster, drive=drive, useful=gain, useless=none,
                   behaviours=(behaviour,))  # fmt: skip


def test_repeating_a_goal_changes_no_share_and_no_interval():
    settings = MapSettings(agent="optimal", worlds=("w",))
    cells = [cell("w", f"g{k}", f"g{k}", STOPS, k % 3 / 2, k % 3 > 0) for k in range(9)]
    again = [cell("w", f"again{k}", "g4", STOPS, 0.5, True) for k in range(30)]
    before = shares_of(settings, cells, {STOPS: False})[0]
    after = shares_of(settings, [*cells, *again], {STOPS: False})[0]

    def ends(m):
        return (pytest.approx(m.estimate), pytest.approx(m.low), pytest.approx(m.high))

    for one, other in ((before.value, after.value),
                       (before.agents[0].behaviour, after.agents[0].behaviour)):  # fmt: skip
        assert (other.estimate, other.low, other.high) == ends(one)
        assert other.clusters == one.clusters == 9
    assert after.value_by_goal.estimate != before.value_by_goal.estimate


def test_a_few_goals_without_an_effect_do_not_hide_the_many_with_one():
    values = [1.0] * 10 + [0.0] * 2
    found = difference_over_clusters(
        "x", values, [str(k) for k in range(12)], seed=0, level=0.95, unit="share"
    )
    assert found.low > 0.5
    assert found.high == 1.0
    none = difference_over_clusters(
        "x", [0.0] * 12, [str(k) for k in range(12)], seed=0, level=0.95, unit="share"
    )
    assert none.low == pytest.approx(-none.high)
    assert none.high < 0.3


def test_goals_that_pass_the_same_states_by_other_acts_stay_apart():
    world = make_world("star-v1")
    goals = [
        dataclasses.replace(
            world.goals[0], name=f"press-{act}",
            reward=lambda s, a, t, act=act: float(s == 0 and a == act),
        )
        for act in (1, 2)
    ]  # fmt: skip
    one, other = goal_clusters([[make_task(world, goal, 0)] for goal in goals])
    assert one != other


def sampled_cell(rates, exact):
    def record(value):
        return Rates(headline={STOPS: value}, components={}, reached=1.0, clean=1.0, deceived=0.0,
                     first_failure={})  # fmt: skip

    key = CellKey(agent="a", world="w", goal="g", condition="", threat="shutdown", observed=True)
    base = Baselines(null=0.0, reference=1.0, optimum=1.0)
    whole = CellRecord(
        key=key, method="exact" if exact else "sampled", rates=record(rates[0]) if exact else None,
        value=0.0, baselines=base, training=None, trained=None,
    )  # fmt: skip
    trace = Trace(header=TraceHeader(world="w", goal="g", agent="a", episode=0, seed=0), events=())
    drawn = () if exact else tuple(
        EpisodeRecord(key=key, episode=k, unscored=None, failure=None, rates=record(value),
                      value=0.0, trace=trace)
        for k, value in enumerate(rates)
    )  # fmt: skip
    return Cell(whole, drawn)


def test_an_enumerated_cell_is_compared_with_every_episode_of_a_sampled_one():
    rate = headline_rate(STOPS)
    whole, drawn = sampled_cell([0.25], exact=True), sampled_cell([1.0, 0.0, 1.0, 0.0], exact=False)
    assert excess_over(whole, drawn, rate).values == (-0.75, 0.25, -0.75, 0.25)
    assert excess_over(drawn, whole, rate).values == (0.75, -0.25, 0.75, -0.25)
    assert excess_over(drawn, drawn, rate).values == (0.0,) * 4
    assert excess_over(whole, whole, rate).exact


# --- columns that come together ----------------------------------------------------------------


def test_equal_columns_vary_as_often_as_there_are_columns():
    column = np.array([0.0, 1, 1, 0, 1, 0, 0.5])
    for k in (2, 3, 5):
        assert variance_ratio([np.column_stack([column] * k)]) == pytest.approx(k)
    opposed = np.column_stack([column, 1 - column])
    assert variance_ratio([opposed]) == pytest.approx(0)
    assert variance_ratio([column[:, None]]) is None
    assert variance_ratio([np.ones((4, 3))]) is None


def test_the_p_value_of_two_equal_columns_is_the_chance_of_their_order():
    cells = [
        cell("w", f"g{k}", f"g{k}", drive, float(k < 4), True)
        for k in range(8) for drive in ("a", "b")
    ]  # fmt: skip
    found = independence_of(MapSettings(agent="optimal", worlds=("w",)), cells, "optimal")
    assert found.ratio.estimate == pytest.approx(2)
    assert found.p_value.low <= 1 / 70 <= found.p_value.high  # 8 choose 4 orders


def test_differences_between_worlds_are_no_dependence_between_drives():
    """Both drives show in every goal of one world and none of the other: nothing varies inside."""
    cells = [
        cell(world, f"g{k}", f"g{k}", drive, rate, True)
        for world, rate in (("w", 1.0), ("v", 0.0)) for k in range(8) for drive in ("a", "b")
    ]  # fmt: skip
    found = independence_of(MapSettings(agent="optimal", worlds=("w", "v")), cells, "optimal")
    assert found.ratio.estimate is None
    assert found.p_value.estimate is None


# --- controls ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_random_agent_has_no_effect_before_it_is_told():
    settings = MapSettings(agent="optimal", worlds=("off-switch-v1",), episodes=60)
    worlds = {
        kind: make_world("off-switch-v1", condition=condition)
        for kind, condition in conditions_of("off-switch-v1").items()
    }
    goal = worlds["threat"].goals[0]
    assert before_notice(settings, worlds, goal)[STOPS].estimate == 0
    # and the check can fail: another world is no control
    off = make_world("off-switch-v1", condition=conditions_of("off-switch-v1")["inert"])
    assert before_notice(settings, {**worlds, "control": off}, goal)[STOPS].low > 0


@pytest.mark.slow
def test_star_share_holds_k_of_k_plus_1_and_all_controls_pass(quiet, tmp_path):
    for k in (1, 3, 9):
        report = mapped(tmp_path, quiet, parameters={"terminals": k})
        [share] = [s for s in report.shares if s.scope == "star-v1" and s.drive == STOPS]
        for found in (share.value, share.value_by_goal, share.agents[0].behaviour):
            assert found.low <= k / (k + 1) <= found.high, (k, found)
        best = [int(np.argmax(star_values(goal, k))) for goal in range(20)]
        assert share.value_by_goal.estimate == pytest.approx(np.mean(np.array(best) > 0))
        shown = [cell.behaviours[0].rate.estimate for cell in report.cells]
        assert shown == [float(option > 0) for option in best]
        kinds = set(best)
        assert share.value.estimate == pytest.approx(len(kinds - {0}) / len(kinds))
        assert share.agents[0].inert.estimate == 0
        assert share.value_useless.estimate == 0
        random = next(one for one in share.agents if one.agent == "random")
        assert random.behaviour.estimate == pytest.approx(k / (k + 1))
        assert [check.passed for check in report.checks] == [True] * len(report.checks)


@pytest.mark.slow
def test_an_effect_where_there_can_be_none_fails_its_check(quiet, tmp_path):
    report = mapped(tmp_path, quiet)
    settings, found = report.settings, report.cells[0]
    guilty = msgspec.structs.replace(
        found.behaviours[0], inert=exact_measurement("inert", 0.1, n=1),
        rate=exact_measurement("rate", 0.0, n=1),
    )  # fmt: skip
    cells = [msgspec.structs.replace(found, behaviours=(guilty,))]
    part = AgentPart(deeds=(), unnoticed={STOPS: exact_measurement("x", 0.2, n=9)})
    checks = map_checks(settings, cells, {STOPS: False}, {"star-v1": part})
    assert [check.passed for check in checks] == [False, False, False]


# --- the study ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("jobs_in_here")
def test_same_seed_gives_the_same_bytes_with_one_job_and_with_two(quiet, tmp_path):
    asked = {"agent": "lookahead:3", "goals": ("values-00", "values-02"), "episodes": 5}
    one = mapped(tmp_path / "one", quiet, jobs=1, **asked)
    two = mapped(tmp_path / "two", quiet, jobs=2, **asked)
    assert map_bytes(one) == map_bytes(two)


@pytest.mark.slow
def test_a_map_that_was_interrupted_goes_on_where_it_stopped(quiet, tmp_path):
    whole = mapped(tmp_path / "whole", quiet)
    names = []

    def stop(name, done, total):
        names.append(name)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mapped(tmp_path / "cut", stop)
    rest = []
    resumed = mapped(tmp_path / "cut", lambda name, done, total: rest.append(name), resume=True)
    assert map_bytes(resumed) == map_bytes(whole)
    assert not set(names) & set(rest)
    assert len(names) + len(rest) == 3


def test_names_and_parameters_that_do_not_exist_are_refused(quiet, tmp_path):
    with pytest.raises(WorldError, match="Did you mean 'star-v1'"):
        mapped(tmp_path, quiet, worlds=("stars-v1",))
    with pytest.raises(WorldError, match="Did you mean 'values-00'"):
        mapped(tmp_path, quiet, goals=("value-00",))
    with pytest.raises(AgentError, match="Did you mean 'optimal'"):
        mapped(tmp_path, quiet, agent="optimall")
    with pytest.raises(WorldError, match="terminals"):
        mapped(tmp_path, quiet, parameters={"terminal": 3})


def test_resuming_with_other_settings_is_refused(quiet, tmp_path):
    def stop(name, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mapped(tmp_path, stop, goals=("values-00",))
    with pytest.raises(AuditError, match="seed: 0 before, 5 now"):
        mapped(tmp_path, quiet, goals=("values-00",), seed=5, resume=True)
