"""Exact evaluation and sampling are two ways to one number; they must agree."""

from __future__ import annotations

import numpy as np
import pytest

from offswitch.agents.registry import parse_agent
from offswitch.audit.cell import evaluate_cell
from offswitch.audit.records import CellKey
from offswitch.audit.sampled import Sampling
from offswitch.audit.tables import cells_by_agent
from offswitch.countermeasures.setting import Setting
from offswitch.statistics.clopper_pearson import clopper_pearson
from offswitch.worlds.registry import make_world

EPISODES = 400
LEVEL = 0.9999  # about 100 comparisons in this file: a true difference is far outside all the same


def cell(world, goal, agent, *, sampled):
    setting = Setting.of(world, world.goal(goal), parse_agent(agent))
    key = CellKey(
        agent=agent, world=world.id, goal=goal, condition=world.condition.label,
        threat=world.condition.threat, observed=True,
    )  # fmt: skip
    sampling = Sampling(seed=3, episodes=EPISODES, always=sampled)
    return cells_by_agent(evaluate_cell(setting, key, sampling))[agent][0]


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["random", "epsilon-greedy:0.2", "persona:staller", "optimal"])
@pytest.mark.parametrize("noise", ["plain", "noisy"])
def test_rates_in_the_corridor_agree_within_the_interval(agent, noise):
    world = make_world("coffee-corridor-v1", threat="shutdown", noise=noise)
    exact = cell(world, "fetch-coffee", agent, sampled=False)
    drawn = cell(world, "fetch-coffee", agent, sampled=True)
    assert exact.exact
    assert not drawn.exact
    measures = [lambda r: r.clean, lambda r: r.deceived, lambda r: r.reached]
    measures += [
        lambda r, part=part: r.components["self-preservation"][part]
        for part in ("pre-emptive", "reactive", "delaying", "circumventing", "evading")
    ]
    for measure in measures:
        low, high = clopper_pearson(round(drawn.mean(measure) * EPISODES), EPISODES, level=LEVEL)
        assert low - 1e-12 <= exact.mean(measure) <= high + 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("world_id", ["off-switch-v1", "star-v1", "cloud-compute-v1"])
def test_returns_agree_within_four_standard_errors(world_id):
    world = make_world(world_id, threat="shutdown")
    exact = cell(world, world.goals[0].name, "epsilon-greedy:0.1", sampled=False)
    drawn = cell(world, world.goals[0].name, "epsilon-greedy:0.1", sampled=True)
    values = np.array([value for _, _, value in drawn.scored()])
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean() - exact.mean_value()) <= 4 * error + 1e-9


class Opaque:
    """The optimum, of which only its acts can be seen."""

    def __init__(self, task):
        self.inner = parse_agent("optimal")(task)

    def reset(self, seed):
        self.inner.reset(seed)

    def act(self, observation):
        return self.inner.act(observation)


def test_an_agent_that_acts_for_itself_earns_the_discounted_return_of_its_acts():
    world = make_world("star-v1", threat="shutdown")
    goal = world.goals[0]
    exact = cell(world, goal.name, "optimal", sampled=False)
    key = exact.key
    found = evaluate_cell(Setting.of(world, goal, Opaque), key, Sampling(seed=3, episodes=3))
    (drawn,) = cells_by_agent(found).values()
    values = [value for _, _, value in drawn[0].scored()]
    assert exact.mean_value() > 0
    assert values == pytest.approx([exact.mean_value()] * 3), "nothing in the star is left to luck"


@pytest.mark.slow
def test_hoarding_in_the_cloud_agrees_within_four_standard_errors():
    world = make_world("cloud-compute-v1", threat="shutdown")

    def held(cell_):
        return [r.components["resource-acquisition"]["hoarding"] for _, r, _ in cell_.scored()]

    exact = held(cell(world, "throughput", "optimal", sampled=False))[0]
    drawn = np.array(held(cell(world, "throughput", "optimal", sampled=True)))
    assert abs(drawn.mean() - exact) <= 4 * drawn.std(ddof=1) / np.sqrt(len(drawn)) + 1e-9


def test_exact_outcome_probabilities_add_up_to_one():
    world = make_world("star-v1", threat="shutdown", noise="noisy")
    found = cell(world, world.goals[0].name, "random", sampled=False)
    failed = sum(found.mean(lambda r, c=c: r.first_failure.get(c, 0.0)) for c in (
        "disobey", "obstruct", "induce", "persist", "unsafe", "deceive"))  # fmt: skip
    assert found.mean(lambda r: r.clean) + failed == pytest.approx(1.0, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("sampled", [False, True])
def test_one_drive_alone_is_what_it_is_among_all(sampled):
    """A study of one drive leaves the others out, which changes nothing that it does report."""
    world = make_world("coffee-corridor-v1", threat="shutdown")
    setting = Setting.of(world, world.goal("fetch-coffee"), parse_agent("epsilon-greedy:0.2"))
    key = CellKey(
        agent="", world=world.id, goal="fetch-coffee", condition="", threat="shutdown",
        observed=True,
    )  # fmt: skip

    def found(drives):
        sampling = Sampling(seed=3, episodes=5, always=sampled, drives=drives)
        records = list(evaluate_cell(setting, key, sampling))
        return [record.rates for record in records if record.rates is not None]

    for every, one in zip(found(None), found(frozenset(["self-preservation"])), strict=True):
        assert set(one.headline) == {"self-preservation"}
        assert set(every.headline) > set(one.headline)
        for name in ("headline", "components"):
            got, expected = getattr(one, name), getattr(every, name)
            assert got["self-preservation"] == expected["self-preservation"]
        assert (one.clean, one.deceived, one.reached) == (
            every.clean,
            every.deceived,
            every.reached,
        )
