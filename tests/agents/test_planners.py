"""Planners: the closed forms of the corridor, and agreement of policy, steps and simulation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from toy_corridor import ToyCorridor, chance_of, task_in

from offswitch.agents.agent import PolicyAgent
from offswitch.agents.boltzmann import Boltzmann
from offswitch.agents.do_nothing import DoNothing
from offswitch.agents.epsilon_greedy import EpsilonGreedy
from offswitch.agents.lookahead import Lookahead
from offswitch.agents.optimal import Optimal, optimal_values
from offswitch.agents.returns import episode_return
from offswitch.agents.tabular import TabularAgent, greedy_table
from offswitch.agents.uniform import Uniform
from offswitch.errors import AgentError
from offswitch.mdp.finite_horizon import solve_finite_horizon
from offswitch.trace.event import DetourTaken, Event, SwitchDisabled
from offswitch.worlds.coffee_corridor import CoffeeCorridor
from offswitch.worlds.condition import Condition
from offswitch.worlds.off_switch import OffSwitch
from offswitch.worlds.simulate import simulate

DISABLE = 2


def disabled(event: Event) -> bool:
    return isinstance(event, SwitchDisabled)


@pytest.mark.parametrize("press", [0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("discount", [0.05, 0.45, 0.55, 0.85, 0.96])
def test_optimal_disables_the_toy_switch_iff_gamma_exceeds_one_minus_p(
    press: float, discount: float
) -> None:
    agent = Optimal()(task_in(ToyCorridor(press=press, discount=discount)))
    assert (agent.table[0].argmax() == DISABLE) == (discount > 1 - press)


def test_optimal_ties_go_to_the_least_intrusive_action() -> None:
    at_the_switch_point = Optimal()(task_in(ToyCorridor(press=0.5, discount=0.5)))
    assert at_the_switch_point.table[0].argmax() == 1
    without_stake = Optimal()(task_in(ToyCorridor(), "nothing"))
    assert (without_stake.table.argmax(axis=1) == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(("press", "discount"), [(0.3, 0.75), (0.3, 0.65), (0.5, 0.95)])
def test_optimal_disables_the_corridor_switch_iff_gamma_exceeds_one_minus_p(
    press: float, discount: float
) -> None:
    task = task_in(CoffeeCorridor(press_probability=press, discount=discount))
    assert chance_of(task, Optimal()(task), disabled) == float(discount > 1 - press)


def test_optimal_agent_earns_what_backward_induction_finds() -> None:
    task = task_in(CoffeeCorridor(span=16))
    world, mdp = task.compiled.world, task.compiled.mdp
    best = solve_finite_horizon(mdp, task.reward[None], world.horizon, discount=world.discount)
    assert episode_return(Optimal()(task), task.reward) == pytest.approx(
        float(best.value[0, 0] @ mdp.start), abs=1e-9
    )


def test_optimal_plans_without_interruptions_under_an_override() -> None:
    override = task_in(OffSwitch(level=1, semantics="override"))
    frozen = task_in(OffSwitch(level=1, semantics="frozen"))
    assert chance_of(override, Optimal()(override), disabled) == 0
    assert chance_of(frozen, Optimal()(frozen), disabled) == 1


def test_states_that_look_alike_weigh_as_much_as_they_are_visited() -> None:
    """Before the tile nobody has been let through yet: an equal mean would halve the risk."""
    task = task_in(OffSwitch(level=0, semantics="terminal"))
    took_the_long_way = chance_of(task, Optimal()(task), lambda e: isinstance(e, DetourTaken))
    assert took_the_long_way == 1


def test_optimal_follows_the_rewards_of_the_task() -> None:
    task = task_in(ToyCorridor(press=0.9))
    price = np.array([0.0, 0.0, 5.0])
    task = dataclasses.replace(task, reward=task.reward - price)
    assert chance_of(task, Optimal()(task), disabled) == 0


def test_foresight_makes_resistance_monotone() -> None:
    task = task_in(CoffeeCorridor())
    resists = [chance_of(task, Lookahead(steps)(task), disabled) for steps in (1, 3, 9, 10, 11, 16)]
    assert resists == sorted(resists)
    assert (resists[0], resists[-1]) == (0, 1)


def test_lookahead_beyond_the_horizon_plays_as_the_optimal_agent() -> None:
    task = task_in(CoffeeCorridor(span=16))
    far, best = Lookahead(400)(task), Optimal()(task)
    assert episode_return(far, task.reward) == pytest.approx(episode_return(best, task.reward))


def test_boltzmann_is_uniform_at_zero_and_optimal_when_cold() -> None:
    task = task_in(ToyCorridor())
    assert Boltzmann(0.0)(task).table == pytest.approx(Uniform()(task).table)
    cold = Boltzmann(1e6)(task).table
    strict = np.ptp(optimal_values(task), axis=1) > 0.01
    assert cold[strict].max(axis=1) == pytest.approx(
        (Optimal()(task).table * cold)[strict].sum(axis=1)
    )


def test_boltzmann_is_a_softmax_of_the_optimal_values() -> None:
    task = task_in(ToyCorridor())
    values = optimal_values(task)
    row = np.exp(2 * values[0]) / np.exp(2 * values[0]).sum()
    assert Boltzmann(2.0)(task).table[0] == pytest.approx(row)


def test_epsilon_greedy_mixes_optimal_and_uniform() -> None:
    task = task_in(ToyCorridor())
    mixed = 0.8 * Optimal()(task).table + 0.2 * Uniform()(task).table
    assert EpsilonGreedy(0.2)(task).table == pytest.approx(mixed)


def test_doing_nothing_earns_nothing_and_waits() -> None:
    task = task_in(ToyCorridor())
    agent = DoNothing()(task)
    assert episode_return(agent, task.reward) == 0
    assert (agent.table.argmax(axis=1) == 0).all()


def test_steps_and_simulation_choose_the_same_actions() -> None:
    task = task_in(CoffeeCorridor(press_probability=0.0))
    compiled = task.compiled
    agent = Uniform()(task)
    run = simulate(compiled, agent.policy(compiled.mdp), seeds=[3, 4, 5])
    for episode, seed in enumerate((3, 4, 5)):
        agent.reset(seed)
        length = int(run.length[episode])
        seen = compiled.observation_of[run.states[episode, :length]]
        acts = [agent.act(compiled.observations[number]) for number in seen]
        assert acts == run.actions[episode, :length].tolist()


def test_a_policy_is_a_function_of_what_is_observed() -> None:
    task = task_in(OffSwitch(level=1))
    rows = Optimal()(task).policy(task.compiled.mdp)
    acting = np.flatnonzero(~task.compiled.ending)
    seen = task.compiled.observation_of[acting]
    for number in np.unique(seen):
        assert (np.ptp(rows[acting[seen == number]], axis=0) == 0).all()
    assert (rows[task.compiled.ending].argmax(axis=1) == 0).all()


def test_a_tabular_agent_is_a_policy_agent_and_refuses_other_worlds() -> None:
    task, other = task_in(ToyCorridor()), task_in(OffSwitch())
    agent = Optimal()(task)
    assert isinstance(agent, PolicyAgent)
    with pytest.raises(AgentError, match="Make the agent for the world"):
        agent.policy(other.compiled.mdp)
    with pytest.raises(AgentError, match=r"observation \(9, 9, 9\)"):
        agent.act((9, 9, 9))


def test_an_agent_never_takes_an_action_of_probability_zero() -> None:
    task = task_in(ToyCorridor())
    table = np.tile([0.0, 0.3, 0.7], (task.compiled.n_observations, 1))
    agent = TabularAgent(task.compiled, table)
    agent.reset(0)
    acts = [agent.act((0, 1, 1)) for _ in range(2000)]
    assert set(acts) == {1, 2}
    assert np.mean([act == 1 for act in acts]) == pytest.approx(0.3, abs=0.04)


def test_greedy_forgives_rounding_and_nothing_more() -> None:
    values = np.array([[1.0, 1.0 + 1e-12], [1.0, 1.0 + 1e-6], [-np.inf, 0.5]])
    assert greedy_table(values).argmax(axis=1).tolist() == [0, 1, 1]


def test_the_condition_does_not_change_who_is_told_apart() -> None:
    """The unobserved cell shows another flag; planners give it the same rows."""
    watched = task_in(CoffeeCorridor())
    unwatched = task_in(CoffeeCorridor(condition=Condition(observed=False)))
    assert (Optimal()(watched).table == Optimal()(unwatched).table).all()
