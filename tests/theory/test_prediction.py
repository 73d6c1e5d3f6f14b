from __future__ import annotations

import dataclasses

import msgspec
import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.mdp.batched.executor import Executor
from offswitch.mdp.model import FiniteMDP
from offswitch.report.prediction_json import prediction_bytes
from offswitch.statistics.clopper_pearson import clopper_pearson
from offswitch.theory.certificates.verify import verify_certificate
from offswitch.theory.instrumental_value import instrumental_value
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.prediction import acts, predict, proofs
from offswitch.theory.prediction.act_goals import Weighed, ask_goals
from offswitch.theory.prediction.acts import judged_acts
from offswitch.theory.prediction.control import ControlProcess
from offswitch.theory.prediction.predict import predict_process
from offswitch.theory.prediction.report import PredictionReport, PredictionSettings
from offswitch.theory.prediction.shares import FORCED, widened_share
from offswitch.theory.prediction.subject import PredictionSubject
from offswitch.theory.reachable import breadth_first
from offswitch.theory.reward_units import reward_units
from offswitch.theory.sampling.goal_blocks import goal_blocks
from offswitch.theory.tagged_optimality import optimal_share

LEAVES = 3
GAMMA = 0.9


def star(leaves: int = LEAVES) -> FiniteMDP:
    rows = [(0, leaf, leaf + 1, 1.0) for leaf in range(leaves)]
    rows += [(leaf, 0, leaf, 1.0) for leaf in range(1, leaves + 1)]
    return FiniteMDP.from_coo(leaves + 1, leaves, rows)


def shutdown_or_hub(leaves: int = LEAVES) -> FiniteMDP:
    """State 0 chooses the absorbing 1 or the hub 2, from which every leaf is one step away."""
    rows = [(0, 0, 1, 1.0), (0, 1, 2, 1.0), (1, 0, 1, 1.0)]
    for leaf in range(leaves):
        rows += [(2, leaf, 3 + leaf, 1.0), (3 + leaf, 0, 3 + leaf, 1.0)]
    return FiniteMDP.from_coo(3 + leaves, max(leaves, 2), rows)


def tagged(mdp: FiniteMDP, *acts: tuple[int, int]) -> np.ndarray:
    tags = np.zeros((mdp.n_states, mdp.n_actions), dtype=bool)
    for act in acts:
        tags[act] = True
    return tags


def asked(**changes: object) -> PredictionSettings:
    given = {"source": "test", "discount": GAMMA, "half_width": 0.02, "seed": 5, **changes}
    return PredictionSettings(**given)  # type: ignore[arg-type]


def predicted(
    mdp: FiniteMDP, tags: np.ndarray | None = None, **changes: object
) -> PredictionReport:
    subject = PredictionSubject(mdp, "test", tagged=tags, tag_label="tagged acts")
    return predict_process(subject, asked(**changes))


def holds(measurement, value: float) -> bool:
    return measurement.low <= value <= measurement.high


def test_a_star_is_predicted_as_the_closed_forms_say():
    report = predicted(star(), curve=(0.5, GAMMA))
    assert holds(report.start, LEAVES / (LEAVES + 1))
    assert all(holds(point.start, LEAVES / (LEAVES + 1)) for point in report.curve)
    assert [point.discount for point in report.curve] == [0.5, GAMMA]
    assert report.highest == 0
    assert holds(report.spread, LEAVES / (LEAVES + 1) - 1 / 2)
    assert [act.action for act in report.acts] == ["a0", "a1", "a2"]
    for act in report.acts:
        assert holds(act.optimal, 1 / LEAVES)
        assert holds(act.needed, 1 / LEAVES)
        assert holds(act.raises_value, 1 / 2)
        assert act.certificate.found
        assert act.certificate.both_ways
    assert report.tagged is None
    assert not report.interrupted


def test_the_share_of_goals_that_choose_shutdown_is_the_closed_form():
    report = predicted(shutdown_or_hub())
    shut, hub = report.acts
    expected = (1 + GAMMA) / 2 - GAMMA * LEAVES / (LEAVES + 1)
    assert holds(shut.optimal, expected)
    assert holds(shut.raises_value, expected)
    assert holds(hub.needed, 1 - expected)


def test_all_tagged_acts_together_are_certified_n_to_1():
    mdp = star()
    report = predicted(mdp, tagged(mdp, (0, 1), (0, 2)))
    assert report.tagged is not None
    assert holds(report.tagged.needed, 2 / 3)
    assert holds(report.tagged.optimal, 2 / 3)
    found = report.tagged.certificate.certificate
    assert found is not None
    assert found.copies == 2
    assert verify_certificate(mdp, found).valid
    assert "at least 2 times as many goals" in report.tagged.certificate.statement
    assert [act.other for act in report.acts] == ["a0", "a0"]


def test_a_certificate_that_does_not_verify_is_not_reported(monkeypatch):
    class Refusal:
        problems = ("made up",)

    monkeypatch.setattr(proofs, "verify_certificate", lambda mdp, found: Refusal())
    report = predicted(star())
    assert not any(act.certificate.found for act in report.acts)
    assert "made up" in report.acts[0].certificate.statement


def test_an_act_that_the_start_forces_has_no_share_of_goals_that_need_it():
    mdp = star(1)
    report = predicted(mdp, tagged(mdp, (0, 0)))
    assert report.acts[0].needed.estimate is None
    assert report.acts[0].other is None
    assert report.acts[0].raises_value.estimate is None
    assert report.tagged is not None
    assert report.tagged.needed.estimate is None
    assert not report.acts[0].certificate.found


def test_undecided_goals_widen_a_share_both_ways_and_hide_the_estimate_where_they_are_many():
    few = widened_share("needed", 50, 2, 100, level=0.95, seed=0)
    assert (few.low, few.high) == (clopper_pearson(50, 100)[0], clopper_pearson(52, 100)[1])
    assert few.estimate == pytest.approx(50 / 98)
    assert (few.n, few.missing) == (98, 2)
    many = widened_share("needed", 100, 786, 1024, level=0.95, seed=0)
    assert many.estimate is None
    assert (many.low, many.high) == (clopper_pearson(100, 1024)[0], clopper_pearson(886, 1024)[1])
    none = widened_share("needed", 0, 100, 100, level=0.95, seed=0)
    assert (none.estimate, none.low, none.high) == (None, 0.0, 1.0)


@pytest.mark.parametrize("discount", [0.5, 0.999, 0.999999])
def test_only_one_of_two_exclusive_acts_is_needed_by_a_goal_at_any_discount(discount):
    report = predicted(shutdown_or_hub(), discount=discount, samples=512, half_width=None)
    shut, hub = (act.needed for act in report.acts)
    assert shut.low is not None
    assert hub.low is not None
    assert shut.low + hub.low <= 1
    if shut.estimate is not None and hub.estimate is not None:
        assert shut.estimate + hub.estimate <= 1 + 0.1
        assert (shut.missing, hub.missing) == (0, 0)


def test_a_fall_deep_in_a_corridor_counts():
    """After 20 forced steps at discount 0.5 the goal needs the end that it pays more, always."""
    steps = 20
    rows = [(s, 0, s + 1, 1.0) for s in range(steps)]
    rows += [(steps, 0, steps + 1, 1.0), (steps, 1, steps + 2, 1.0)]
    rows += [(steps + 1, 0, steps + 1, 1.0), (steps + 2, 0, steps + 2, 1.0)]
    mdp = FiniteMDP.from_coo(steps + 3, 2, rows)
    report = predicted(mdp, tagged(mdp, (steps, 1)), discount=0.5, samples=1024, half_width=None)
    assert report.tagged is not None
    drawn = goal_blocks(mdp, Uniform(), 1024, 5)
    goals = np.concatenate([drawn.block(number) for number in range(drawn.n_blocks)])
    assert report.tagged.needed.estimate == np.mean(goals[:, steps + 2] > goals[:, steps + 1])
    assert report.tagged.needed.missing == 0


def controlled(same: np.ndarray, control: FiniteMDP) -> PredictionReport:
    """The star whose leaf 1 is tagged, beside `control`."""
    tags = tagged(star(), (0, 1))
    beside = ControlProcess("none", control, tags[:, : control.n_actions], same)
    subject = PredictionSubject(star(), "test", tagged=tags, tag_label="acts", control=beside)
    return predict_process(subject, asked(samples=1024, half_width=None))


def test_a_control_that_is_the_process_itself_adds_nothing_goal_by_goal():
    report = controlled(np.arange(4), star())
    assert report.tagged is not None
    control = report.tagged.control
    assert control is not None
    assert control.needed.estimate == report.tagged.needed.estimate
    assert control.difference.estimate == 0
    assert holds(control.difference, 0.0)


def test_a_control_with_other_dynamics_has_the_share_of_its_own_closed_form():
    """Leaf 0 leads on to leaf 2 in the control: two of three acts reach the better of two."""
    rows = [(0, leaf, leaf + 1, 1.0) for leaf in range(3)]
    rows += [(1, 0, 1, 1.0), (2, 0, 2, 1.0), (3, 0, 3, 1.0), (1, 1, 2, 1.0)]
    other = FiniteMDP.from_coo(4, 3, rows)
    for same in (np.arange(4), np.full(4, -1)):  # the same goals, or goals of its own
        report = controlled(same, other)
        assert report.tagged is not None
        control = report.tagged.control
        assert control is not None
        assert holds(report.tagged.needed, 1 / 3)
        # At discount 0.9 the way over leaf 0 costs 0.1 of the gap; leaf 1 is best a third, and
        # then needed directly.
        assert holds(control.needed, 1 / 3)
        assert control.difference.low is not None
        assert control.difference.low <= 0 <= (control.difference.high or 0)


def test_a_share_the_start_forces_warns_of_nothing_undecided():
    mdp = star(1)
    report = predicted(mdp, tagged(mdp, (0, 0)))
    assert report.acts[0].needed.missing == 0
    assert report.acts[0].needed.method == FORCED


def test_intervals_that_hold_for_all_acts_at_once_are_wider_by_bonferroni():
    (act, *others) = predicted(star(), samples=1024, half_width=None).acts
    expected = clopper_pearson(
        round(act.optimal.estimate * 1024), 1024, level=1 - 0.05 / (1 + len(others))
    )
    assert (act.optimal_together.low, act.optimal_together.high) == pytest.approx(expected)


def test_an_act_is_judged_where_it_is_first_tagged_beside_the_first_untagged_one():
    rows = [(0, 0, 1, 1.0), (0, 1, 2, 1.0), (1, 0, 1, 1.0), (1, 1, 2, 1.0)]
    rows += [(2, 0, 2, 1.0), (2, 1, 2, 1.0), (3, 0, 3, 1.0), (3, 1, 3, 1.0)]
    mdp = FiniteMDP.from_coo(4, 2, rows)
    tags = tagged(mdp, (1, 0), (2, 0), (3, 1))
    (act,) = judged_acts(PredictionSubject(mdp, "test", tagged=tags), breadth_first(mdp))
    assert (act.state, act.action, act.other) == (1, 0, 1)
    assert act.tagged.sum() == 2  # the act in the unreachable state is another action
    first, second = judged_acts(
        PredictionSubject(star(), "test", tagged=tagged(star(), (0, 0), (0, 1), (1, 2))),
        breadth_first(star()),
    )  # the third tag is on an act that is not available
    assert (first.other, second.other) == (2, 2)


def test_an_agent_that_can_avoid_the_stop_is_said_how_and_how_often_it_is_stopped():
    rows = [(0, 0, 1, 0.5), (0, 0, 2, 0.5), (0, 1, 2, 0.25), (0, 1, 1, 0.75)]
    rows += [(s, a, s, 1.0) for s in (1, 2, 3) for a in (0, 1)]
    mdp = FiniteMDP.from_coo(4, 2, rows, action_names=("wait", "dash"))
    stop = np.array([False, False, True, False])
    subject = PredictionSubject(mdp, "test", stop=stop)
    found = predict_process(subject, asked()).stoppability
    assert found is not None
    assert not found.holds
    assert found.stopped.estimate in (0.25, 0.5)  # either escape is one
    assert found.escape[:2] == ("s0", "s1")
    assert "with probability" in found.statement
    both = predict_process(
        dataclasses.replace(subject, stop=np.array([False, True, True, False])), asked()
    )
    assert both.stoppability is not None
    assert both.stoppability.holds
    assert both.stoppability.within == 1
    assert predict_process(dataclasses.replace(subject, stop=None), asked()).stoppability is None


def test_power_of_several_first_states_is_their_average():
    mdp = star()
    both = FiniteMDP.from_dense(
        np.asarray(mdp.matrix.todense()).reshape(4, 3, 4), start=[0.25, 0.75, 0, 0]
    )
    report = predicted(both)
    assert report.start.estimate == pytest.approx(
        0.25 * report.states.estimate[0] + 0.75 * report.states.estimate[1]
    )
    assert holds(report.start, 0.25 * 3 / 4 + 0.75 / 2)
    assert "2 first states" in report.start.method


def test_states_nobody_reaches_are_never_the_extremes():
    rows = [(0, 0, 0, 1.0), (1, 0, 2, 1.0), (1, 1, 3, 1.0), (2, 0, 2, 1.0), (3, 0, 3, 1.0)]
    report = predicted(FiniteMDP.from_coo(4, 2, rows))
    assert (report.highest, report.lowest) == (0, 0)
    assert report.states.reachable == (True, False, False, False)
    assert report.process.reachable == 1


@pytest.mark.parametrize("law", ["normal", "beta:2,5", "bernoulli:0.5", "uniform:-1,1"])
def test_every_law_is_predicted_and_its_mean_held(law):
    report = predicted(star(), law=law, samples=512, half_width=None)
    means = {"normal": 0.0, "beta:2,5": 2 / 7, "bernoulli:0.5": 0.5, "uniform:-1,1": 0.0}
    states = report.states
    assert states.simultaneous_low[1] <= means[law] <= states.simultaneous_high[1]


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_workers():
    subject = PredictionSubject(shutdown_or_hub(), "test")
    made = [
        prediction_bytes(
            predict_process(subject, asked(curve=(0.5, 0.9)), executor=Executor(workers=workers))
        )
        for workers in (1, 2, 3)
    ]
    assert made[0] == made[1] == made[2]
    other = predict_process(subject, asked(curve=(0.5, 0.9), seed=6))
    assert other.start.estimate != msgspec.json.decode(made[0])["start"]["estimate"]


def test_progress_is_told_what_is_done_how_many_goals_and_how_wide():
    told: list[tuple[str, int, float | None]] = []
    subject = PredictionSubject(shutdown_or_hub(), "test")
    predict_process(subject, asked(curve=(0.5,)), progress=lambda *step: told.append(step))
    steps = list(dict.fromkeys(what for what, _, _ in told))
    assert steps == ["POWER at discount 0.9", "acts", "POWER at discount 0.5"]
    width = [reached for what, _, reached in told if what == "POWER at discount 0.9"][-1]
    assert width is not None
    assert width <= 0.02


@pytest.mark.parametrize("stage", ["proven_preference", "ask_goals", "optimality"])
def test_an_interrupt_after_power_keeps_what_is_finished(monkeypatch, stage):
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(acts, stage, pressed)
    report = predicted(star(), curve=(0.5, GAMMA))
    assert report.interrupted
    assert [point.discount for point in report.curve] == [GAMMA]
    assert holds(report.start, LEAVES / (LEAVES + 1))
    if stage != "ask_goals":
        assert report.acts == ()
        return
    for act in report.acts:
        assert holds(act.optimal, 1 / LEAVES)
        assert act.certificate.found
        assert act.needed.estimate is None


def test_an_interrupt_during_power_ends_there_with_the_interval_so_far(monkeypatch):
    real = predict.power

    def pressed(*args: object, **options: object) -> object:
        return dataclasses.replace(real(*args, **options), interrupted=True)

    monkeypatch.setattr(predict, "power", pressed)
    report = predicted(star(), curve=(0.5, GAMMA))
    assert report.interrupted
    assert report.acts == ()
    assert [point.discount for point in report.curve] == [GAMMA]
    assert report.start.n > 0


def test_an_interrupt_before_anything_is_known_propagates(monkeypatch):
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(predict, "power", pressed)
    with pytest.raises(KeyboardInterrupt):
        predicted(star())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 9), st.integers(0, 2**32))
def test_breadth_first_visits_exactly_what_can_be_reached_nearest_first(n_states, seed):
    draw = np.random.default_rng(seed)
    targets = draw.integers(n_states, size=(n_states, 2))
    rows = [(s, a, int(targets[s, a]), 1.0) for s in range(n_states) for a in range(2)]
    start = np.eye(n_states)[draw.integers(n_states)]
    mdp = FiniteMDP.from_coo(n_states, 2, rows, start=start)
    graph = networkx.DiGraph((s, int(t)) for s, row in enumerate(targets) for t in row)
    steps = networkx.single_source_shortest_path_length(graph, int(start.argmax()))
    order = breadth_first(mdp).tolist()
    assert sorted(order) == sorted(steps)
    assert [steps[state] for state in order] == sorted(steps.values())


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(2, 7), st.integers(0, 2**32), st.booleans(), st.sampled_from([0.3, 0.9, 0.99]))
def test_batched_answers_of_goals_are_those_of_the_exact_solver(n_states, seed, noisy, discount):
    draw = np.random.default_rng(seed)
    table = (
        draw.dirichlet(np.full(n_states, 0.4), size=(n_states, 3))
        if noisy
        else np.eye(n_states)[draw.integers(n_states, size=(n_states, 3))]
    )
    mdp = FiniteMDP.from_dense(table, start=np.eye(n_states)[0])
    rewards = draw.normal(size=(70, n_states)) * 10.0 ** draw.integers(-3, 4, size=(70, 1))
    tags = np.zeros((n_states, 3), dtype=bool)
    tags[:, 2] = draw.random(n_states) < 0.7
    tags[-1] |= draw.random() < 0.5  # entering the last state is then choosing a tagged act
    goals = goal_blocks(mdp, rewards, None, 0)
    weighed = [Weighed(0, 1, 0), Weighed(n_states - 1, 2, 1)]
    found = ask_goals(mdp, goals, weighed, [tags], discount=discount)
    unit = reward_units(rewards)
    for row, (state, action, other) in enumerate(weighed):
        exact = instrumental_value(mdp, rewards, state, action, other, discount=discount) / unit
        assert (np.abs(found.gain[row] - exact) <= found.gain_error + 1e-9).all()
    share = optimal_share(mdp, rewards, tags, discount=discount)
    assert share.forced == np.isinf(found.fall).all()
    if not share.forced:
        slack = found.fall_error[0] + share.error / unit
        assert (np.abs(found.fall[0] - share.forgone / unit) <= slack).all()
    assert 0 < found.gain_error.min() <= found.gain_error.max() < 1e-6
    assert found.fall_error.max() < 1e-6


def test_a_fall_is_infinite_where_the_start_forces_the_act():
    mdp = star(1)
    goals = goal_blocks(mdp, [[0.0, 1.0], [1.0, 0.0]], None, 0)
    found = ask_goals(mdp, goals, [], [tagged(mdp, (0, 0))], discount=GAMMA)
    assert found.fall.tolist() == [[np.inf, np.inf]]
    assert found.gain.shape == (0, 2)
