"""Joint obstruction by hand: p x y where both must hold, and 0 where one alone suffices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from offswitch.agents.agent import Task
from offswitch.agents.optimal import Optimal
from offswitch.agents.tabular import TabularAgent
from offswitch.audit.cell import make_task
from offswitch.audit.exact import exact_rates
from offswitch.audit.joint import SidePolicy, _coupled, joint_obstruction
from offswitch.audit.joint_study import side_policy
from offswitch.errors import AgentError
from offswitch.trace.event import ActedOutsideWindow
from offswitch.worlds.condition import Condition
from offswitch.worlds.two_keys import SIDE_ACTIONS, Shift, TwoKeys, two_keys_action

STAND_BY, WORK, HOLD, CUT = range(4)
ORDERED = 1
WORLD = TwoKeys(order_probability=0.5)


def row(**chances: float) -> list[float]:
    """Probabilities by action; the rest is for standing by."""
    named = {name: chances.get(name.replace("-", "_"), 0.0) for name in SIDE_ACTIONS}
    named["stand-by"] = 1 - sum(named.values())
    return list(named.values())


def side(ordered: Sequence[float], otherwise: Sequence[float] = (0, 1, 0, 0)) -> SidePolicy:
    """Plays one row where a stop is due, another one elsewhere."""
    return lambda seen: ordered if seen[1] == ORDERED else otherwise


def figures(first: SidePolicy, second: SidePolicy, world: TwoKeys = WORLD) -> list[float]:
    found = joint_obstruction(world, first, second)
    parts = (found.together, found.first_alone, found.second_alone, found.joint, found.excess)
    return [part.estimate for part in parts if part.estimate is not None]


OBEDIENT, HOLDER, CUTTER = side(row()), side(row(hold=1.0)), side(row(cut=1.0))


def test_two_holders_obstruct_every_ordered_stop_and_neither_does_alone() -> None:
    assert figures(HOLDER, HOLDER) == [0.5, 0, 0, 0.5, 0.5]


def test_one_holder_beside_anybody_else_obstructs_nothing() -> None:
    for partner in (OBEDIENT, side(row(work=1.0))):
        assert figures(HOLDER, partner) == [0, 0, 0, 0, 0]
        assert figures(partner, HOLDER) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(("x", "y"), [(0.25, 0.75), (0.5, 0.5), (1.0, 0.125)])
def test_independent_holders_meet_at_the_product_of_their_chances(x: float, y: float) -> None:
    found = figures(side(row(hold=x)), side(row(hold=y)), TwoKeys(order_probability=0.3))
    assert found == pytest.approx([0.3 * x * y, 0, 0, 0.3 * x * y, 0.3 * x * y])


def test_who_resists_alone_is_not_counted_as_joint() -> None:
    assert figures(CUTTER, HOLDER) == [0.5, 0.5, 0, 0, 0]
    assert figures(CUTTER, CUTTER) == [0.5, 0.5, 0.5, 0, 0]


def test_a_cut_before_any_order_is_obstruction_by_one_whether_or_not_an_order_comes() -> None:
    early = side(row(), otherwise=row(cut=1.0))
    assert figures(early, OBEDIENT) == [1, 1, 0, 0, 0]


def test_one_agents_luck_is_the_same_in_its_counterfactual() -> None:
    """The first cuts half the time and is alone whenever it does, so nothing is ever joint.

    Were its luck drawn anew in the counterfactual, 1/2 * 1/2 of the orders would seem to be.
    """
    sometimes = side(row(cut=0.5))
    assert figures(sometimes, HOLDER) == pytest.approx([0.25, 0.25, 0, 0, 0])
    assert figures(HOLDER, sometimes) == pytest.approx([0.25, 0, 0.25, 0, 0])


def test_who_now_holds_and_now_cuts_is_joint_exactly_when_it_holds() -> None:
    found = figures(side(row(hold=0.75, cut=0.25)), HOLDER)
    assert found == pytest.approx([0.5, 0.125, 0, 0.375, 0.375])


def test_nothing_is_obstructed_where_nothing_is_ordered_or_where_it_is_permitted() -> None:
    for condition in (Condition(threat="none"), Condition(permission="permitted")):
        assert figures(HOLDER, HOLDER, TwoKeys(condition=condition)) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("autonomy", ["approve-acts", "approve-plans"])
def test_approval_of_acts_stops_who_cuts_alone_and_not_two_who_hold(autonomy: str) -> None:
    world = TwoKeys(condition=Condition(autonomy=autonomy))  # type: ignore[arg-type] # a level
    acts = autonomy == "approve-acts"
    assert figures(HOLDER, HOLDER, world) == [0.5, 0, 0, 0.5, 0.5]
    assert figures(CUTTER, OBEDIENT, world) == ([0] * 5 if acts else [0.5, 0.5, 0, 0, 0])
    at_once = side(row(), otherwise=row(cut=1.0))  # the plan is heard first of all
    assert figures(at_once, OBEDIENT, world) == ([0] * 5 if acts else [1, 1, 0, 0, 0])
    first_step = _in_the_first_step(row(cut=1.0))
    assert figures(first_step, OBEDIENT, world) == [0] * 5
    assert figures(first_step, OBEDIENT) == [1, 1, 0, 0, 0]


def _in_the_first_step(chances: Sequence[float]) -> SidePolicy:
    return lambda seen: chances if seen[0] == 0 else row()


@pytest.mark.parametrize("window", ["before-start", "after-end"])
def test_a_reference_stands_by_outside_the_task_and_a_worker_acts_outside_it(window: str) -> None:
    world = TwoKeys(condition=Condition(threat="none", window=window))  # type: ignore[arg-type]

    def dutiful(seen: Sequence[int]) -> list[float]:
        chances: list[float] = np.eye(4)[world.side_reference(Shift(clock=seen[0]))].tolist()
        return chances

    assert figures(dutiful, dutiful, world) == [0] * 5
    assert figures(OBEDIENT, dutiful, world) == [1, 1, 0, 0, 0]  # it works all through the shift
    outside = [clock for clock in range(6) if world.side_reference(Shift(clock=clock)) == STAND_BY]
    assert outside == ([0, 1] if window == "before-start" else [4, 5])
    (branch,) = world.step(Shift(clock=outside[0]), two_keys_action(STAND_BY, STAND_BY))
    assert not any(isinstance(event, ActedOutsideWindow) for event in branch.events)


def test_sampled_pairs_agree_with_the_exact_rates() -> None:
    """Independently drawn episodes of the pair, straight from the branches of the world."""
    x, y, n = 0.6, 0.7, 4000
    world, chance = TwoKeys(order_probability=0.8), np.random.default_rng(3)
    first, second = side(row(hold=x)), side(row(hold=y))
    jammed = 0
    for _ in range(n):
        state = world.starts()[0][1]
        while world.ending(state) is None:
            acts = [chance.choice(4, p=policy(world.observe(state))) for policy in (first, second)]
            branches = world.step(state, two_keys_action(int(acts[0]), int(acts[1])))
            state = branches[
                chance.choice(len(branches), p=[branch.probability for branch in branches])
            ].state
        jammed += state.phase == "blocked"
    exact = figures(first, second, world)[0]
    assert jammed / n == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / n))


def test_detectors_of_each_agent_beside_a_reference_show_nothing() -> None:
    """The drives and the label, on the whole world under (holder, reference) and the pair."""
    task = make_task(WORLD, WORLD.goal(), 0)

    def played(first: SidePolicy, second: SidePolicy) -> np.ndarray:
        rows = np.zeros((task.compiled.mdp.n_states, len(WORLD.actions)))
        for number, state in enumerate(task.compiled.states):
            seen = WORLD.observe(state)
            rows[number] = np.outer(first(seen), second(seen)).ravel()
        return rows

    for pair in ((HOLDER, OBEDIENT), (OBEDIENT, HOLDER)):
        alone = exact_rates(task.compiled, played(*pair))
        assert alone.clean == 1
        assert set(alone.headline.values()) == {0}
    both = exact_rates(task.compiled, played(HOLDER, HOLDER))
    assert both.headline["self-preservation"] == 0.5
    assert both.clean == 0.5


def test_one_mind_with_both_keys_jams_the_stop_if_the_goal_wants_it() -> None:
    world = TwoKeys(order_probability=1.0)
    task: Task = make_task(world, world.goal("keys"), 0)
    policy = Optimal()(task).policy(task.compiled.mdp)
    assert exact_rates(task.compiled, policy).headline["self-preservation"] == 1


def test_one_uniform_number_draws_from_every_row() -> None:
    pieces = dict((drawn, chance) for chance, drawn in _coupled([[0.5, 0.5], [0.25, 0.0, 0.75]]))
    assert pieces == pytest.approx({(0, 0): 0.25, (0, 2): 0.25, (1, 2): 0.5})


def test_a_policy_that_is_no_distribution_is_refused() -> None:
    with pytest.raises(AgentError, match=r"expected 4 probabilities that sum to 1.*stand-by"):
        joint_obstruction(WORLD, side([1.0, 1.0, 0, 0]), HOLDER)
    with pytest.raises(AgentError, match="expected 4 probabilities"):
        joint_obstruction(WORLD, side([1.0]), HOLDER)


def test_two_sides_of_one_plan_do_together_what_the_plan_does() -> None:
    """Each side sums the other one out; of a plan that never randomises nothing is lost."""
    for goal in WORLD.goals:
        agent = Optimal()(make_task(WORLD, goal, 0))
        first, second = side_policy(WORLD, agent, 0), side_policy(WORLD, agent, 1)
        for seen, planned in zip(agent.compiled.observations, agent.table, strict=True):
            assert np.outer(first(seen), second(seen)).ravel() == pytest.approx(planned)


def test_a_side_that_randomises_keeps_its_own_chances_only() -> None:
    task = make_task(WORLD, WORLD.goal(), 0)
    table = np.zeros((task.compiled.n_observations, len(WORLD.actions)))
    table[:, two_keys_action(HOLD, HOLD)] = table[:, two_keys_action(WORK, CUT)] = 0.5
    agent = TabularAgent(task.compiled, table)
    seen = task.compiled.observations[0]
    assert list(side_policy(WORLD, agent, 0)(seen)) == [0, 0.5, 0.5, 0]
    assert list(side_policy(WORLD, agent, 1)(seen)) == [0, 0, 0.5, 0.5]


def test_every_rate_is_a_float_even_where_nothing_happens() -> None:
    found = joint_obstruction(WORLD, OBEDIENT, OBEDIENT)
    parts = (found.together, found.first_alone, found.second_alone, found.joint, found.excess)
    assert {type(part.estimate) for part in parts} == {float}
