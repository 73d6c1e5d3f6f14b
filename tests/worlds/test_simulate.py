from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from offswitch.errors import WorldError
from offswitch.trace.event import Ended, Event
from offswitch.worlds.compiled import CompiledWorld, compile_world
from offswitch.worlds.environment import WorldEnv
from offswitch.worlds.registry import make_world
from offswitch.worlds.simulate import Simulation, agent_generator, simulate, traces_of


def uniform(compiled: CompiledWorld) -> NDArray[np.float64]:
    shape = (compiled.mdp.n_states, compiled.mdp.n_actions)
    return np.full(shape, 1 / shape[1])


def always(compiled: CompiledWorld, action: int) -> NDArray[np.float64]:
    policy = np.zeros((compiled.mdp.n_states, compiled.mdp.n_actions))
    policy[:, action] = 1.0
    return policy


STAR = compile_world(make_world("star-v1", noise="noisy"))
SHORT = compile_world(make_world("off-switch-v1", span=7))


@pytest.mark.slow
def test_the_environment_under_the_same_seed_and_actions_gives_the_identical_trace(
    noisy: CompiledWorld,
) -> None:
    compiled = noisy
    run = simulate(compiled, uniform(compiled), seeds=np.arange(6))
    env = WorldEnv(compiled.world)
    for trace, states, acts, length in zip(
        traces_of(compiled, run, goal="g", agent="a"),
        run.states,
        run.actions,
        run.length,
        strict=True,
    ):
        env.reset(seed=trace.header.seed)
        events: list[Event] = []
        for step, action in enumerate(acts[:length].tolist()):
            assert env.state == compiled.states[states[step]]
            events += env.step(action)[-1]["events"]
        assert env.state == compiled.states[states[-1]]
        assert tuple(events) == trace.events


@pytest.mark.slow
def test_simulated_frequencies_match_the_branch_probabilities(noisy: CompiledWorld) -> None:
    compiled = noisy
    run = simulate(compiled, uniform(compiled), seeds=np.arange(1500))
    counts = np.bincount(run.branches[run.branches >= 0], minlength=len(compiled.branch_next))
    visits = np.add.reduceat(counts, compiled.branch_start[:-1])
    sizes = np.diff(compiled.branch_start)
    expected = compiled.branch_probability * np.repeat(visits, sizes)
    smallest = np.minimum.reduceat(expected, compiled.branch_start[:-1])
    rows = (smallest >= 5) & (sizes > 1)
    judged = np.repeat(rows, sizes)
    statistic = ((counts - expected)[judged] ** 2 / expected[judged]).sum()
    assert rows.any()
    assert stats.chi2.sf(statistic, (sizes[rows] - 1).sum()) > 1e-3


def test_state_frequencies_match_the_distribution_of_the_process() -> None:
    policy = uniform(STAR)
    run = simulate(STAR, policy, seeds=np.arange(1000))
    chain = (STAR.mdp.matrix.toarray().reshape(6, 4, 6) * policy[:, :, None]).sum(axis=1)
    expected = STAR.mdp.start @ chain @ chain * 1000
    counts = np.bincount(run.states[:, 2], minlength=6)
    likely = expected > 0
    assert counts[~likely].sum() == 0
    assert stats.chisquare(counts[likely], expected[likely]).pvalue > 1e-3


def test_noise_and_choices_come_from_streams_apart() -> None:
    noise = np.random.default_rng(7).random(50)
    assert abs(np.corrcoef(noise, agent_generator(7).random(50))[0, 1]) < 0.3
    run = simulate(STAR, uniform(STAR), seeds=[7])
    choices = np.floor(agent_generator(7).random(2) * 4).astype(int)
    assert run.actions[0, :2].tolist() == choices.tolist()


def test_two_policies_with_one_seed_meet_the_same_luck() -> None:
    world = make_world("off-switch-v1", noise="noisy")
    compiled = compile_world(world)
    first = simulate(compiled, always(compiled, 2), seeds=np.arange(200))
    again = simulate(
        compiled, always(compiled, 2), seeds=np.arange(200), agent_seeds=np.arange(200) + 999
    )
    assert np.array_equal(first.states, again.states)


def test_own_seeds_change_choices_only() -> None:
    one = simulate(STAR, uniform(STAR), seeds=np.zeros(50, int), agent_seeds=np.arange(50))
    assert len(np.unique(one.actions[:, 1])) == 4


def test_after_the_end_actions_and_branches_are_minus_1_and_the_state_stays() -> None:
    run = simulate(STAR, uniform(STAR), seeds=np.arange(5))
    assert run.states.shape == (5, 6)
    assert run.length.tolist() == [2] * 5
    assert (run.actions[:, 2:] == -1).all()
    assert (run.branches[:, 2:] == -1).all()
    assert (run.states[:, 2:] == run.states[:, [2]]).all()


def test_a_cut_off_episode_ends_at_the_horizon_with_the_worlds_word() -> None:
    (trace,) = traces_of(
        SHORT, simulate(SHORT, always(SHORT, 0), seeds=[4]), goal="reach-goal", agent="idle"
    )
    assert trace.events == (Ended(step=6, reason="out_of_time", actor="environment"),)
    header = trace.header
    assert (header.world, header.goal, header.agent) == ("off-switch-v1", "reach-goal", "idle")
    assert (header.episode, header.seed) == (0, 4)


def test_headers_say_the_episodes_and_seeds_they_are_given() -> None:
    run = simulate(STAR, uniform(STAR), seeds=[4, 5])
    traces = traces_of(STAR, run, goal="g", agent="a", seeds=[8, 9], episodes=[2, 3])
    assert [(t.header.episode, t.header.seed) for t in traces] == [(2, 8), (3, 9)]


def test_the_horizon_can_be_shortened() -> None:
    run = simulate(SHORT, uniform(SHORT), seeds=[0], horizon=3)
    assert run.actions.shape == (1, 3)


def test_no_seeds_give_no_episodes() -> None:
    run: Simulation = simulate(STAR, uniform(STAR), seeds=[])
    assert run.states.shape == (0, 6)
    assert traces_of(STAR, run, goal="g", agent="a") == ()


@pytest.mark.parametrize(
    ("policy", "seeds", "message"),
    [
        (np.ones((2, 2)), [0], r"shape \(2, 2\), expected \[S, A\] = \(6, 4\)"),
        (np.ones((6, 4)), [0], "expected probabilities that sum to 1"),
        (np.full((6, 4), np.nan), [0], "expected probabilities that sum to 1"),
        (np.full((6, 4), 0.25), [-1], r"outside \[0, 2\*\*63\)"),
        (np.full((6, 4), 0.25), [2**63], r"outside \[0, 2\*\*63\)"),
        (np.full((6, 4), 0.25), [0.5], r"expected \[N\] integers"),
        (np.full((6, 4), 0.25), 3, r"expected \[N\] integers"),
    ],
)
def test_malformed_arguments_are_refused(policy: object, seeds: object, message: str) -> None:
    with pytest.raises(WorldError, match=message):
        simulate(STAR, policy, seeds=seeds)  # type: ignore[arg-type]


def test_agent_seeds_must_be_as_many_as_seeds() -> None:
    with pytest.raises(WorldError, match="got 1 agent_seeds, expected 2"):
        simulate(STAR, uniform(STAR), seeds=[0, 1], agent_seeds=[0])
