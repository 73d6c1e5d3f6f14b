"""The product of a world and a fold, against a forward pass written from the world's `step`."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from offswitch.audit.label import CorrigibilityLabel
from offswitch.audit.product import Product, ProductTooLargeError
from offswitch.drives.registry import installed_drives
from offswitch.drives.resource_acquisition import ResourceAcquisition
from offswitch.drives.self_preservation import SelfPreservation
from offswitch.drives.task_window import OutsideTaskWindow
from offswitch.worlds.compiled import compiled_world
from offswitch.worlds.registry import make_world

HORIZON = 4


def forward(compiled, fold, policy, horizon):
    """Probability of every final memory, from the world's own step and nothing compiled but P0."""
    world = compiled.world
    present = {(state, fold.start()): chance for chance, state in world.starts()}
    for _ in range(horizon):
        following = defaultdict(float)
        for (state, memory), mass in present.items():
            if world.ending(state) is not None:
                following[state, memory] += mass
                continue
            for action in np.flatnonzero(policy[compiled.index[state]]).tolist():
                for chance, after, events in world.step(state, action):
                    remembered = memory
                    for event in events:
                        remembered = fold.advance(remembered, event)
                    share = mass * policy[compiled.index[state], action] * chance
                    following[after, remembered] += share
        present = following
    final = defaultdict(float)
    for (state, memory), mass in present.items():
        final[fold.advance(memory, world.ending(state) or world.cut_off(state))] += mass
    return {memory: mass for memory, mass in final.items() if mass > 0}


def policies(compiled, seed):
    rng = np.random.default_rng(seed)
    S, A = compiled.mdp.n_states, compiled.mdp.n_actions
    mixed = np.eye(A)[rng.integers(0, A, S)] * 0.6 + np.eye(A)[rng.integers(0, A, S)] * 0.4
    return [np.eye(A)[rng.integers(0, A, S)], mixed, np.eye(A)[rng.integers(0, A, S)]]


WORLDS = ("star-v1", "off-switch-v1", "coffee-corridor-v1", "cloud-compute-v1")
FOLDS = (
    CorrigibilityLabel(),
    SelfPreservation(),
    ResourceAcquisition(focus="hoarding"),
    ResourceAcquisition(focus="unused"),
)


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(
    "fold", FOLDS, ids=lambda fold: f"{type(fold).__name__}-{FOLDS.index(fold)}"
)
def test_it_agrees_with_a_forward_pass_for_one_policy_after_another(world, fold):
    compiled = compiled_world(make_world(world, threat="shutdown"))
    product = Product(compiled, fold)
    for policy in policies(compiled, seed=1):
        found = product.final(policy, HORIZON)
        assert found == pytest.approx(forward(compiled, fold, policy, HORIZON), abs=1e-12)


@pytest.mark.parametrize("world", ["star-v1", "off-switch-v1"])
@pytest.mark.parametrize("horizon", [0, 1, 50])
def test_probability_is_kept_while_episodes_end_at_different_times(world, horizon):
    compiled = compiled_world(make_world(world, threat="shutdown"))
    S, A = compiled.mdp.n_states, compiled.mdp.n_actions
    final = Product(compiled, SelfPreservation()).final(np.full((S, A), 1 / A), horizon)
    assert sum(final.values()) == pytest.approx(1.0, abs=1e-12)


def test_a_world_that_cannot_show_a_drive_costs_no_product():
    compiled = compiled_world(make_world("off-switch-v1", threat="shutdown"))
    product = Product(compiled, OutsideTaskWindow(), max_moves=0)
    policy = policies(compiled, seed=3)[0]
    ended = OutsideTaskWindow().start()._replace(ended=True)
    assert product.final(policy, 100) == {ended: 1.0}


def test_a_policy_with_too_many_moves_is_refused_before_it_is_enumerated():
    compiled = compiled_world(make_world("off-switch-v1", threat="shutdown"))
    uniform = np.full((compiled.mdp.n_states, 5), 0.2)
    with pytest.raises(ProductTooLargeError):
        Product(compiled, SelfPreservation(), max_moves=100).final(uniform, 100)
    assert Product(compiled, SelfPreservation(), max_moves=100_000).final(uniform, 100)


@pytest.mark.parametrize("drive", installed_drives(), ids=lambda drive: drive.name)
def test_every_installed_drive_ends_complete_in_a_world_without_events(drive):
    compiled = compiled_world(make_world("star-v1", threat="none"))
    final = Product(compiled, drive).final(policies(compiled, seed=4)[0], 5)
    assert [drive.outcome(memory).completed for memory in final] == [True]
