"""Orbits counted one by one: every policy enumerated, every permutation of the rewards tried."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from offswitch.mdp.model import FiniteMDP

Options = Callable[[int], NDArray[np.float64]]
TIE = 1e-7
"""Between values: far above rounding, far below gaps of the rewards used here."""


def policies(mdp: FiniteMDP, **kept: int) -> Iterator[tuple[int, ...]]:
    """Every deterministic policy; `kept` names states ('s3') whose act is given."""
    acts = [np.flatnonzero(row).tolist() for row in mdp.available]
    for name, action in kept.items():
        acts[int(name[1:])] = [action]
    return itertools.product(*acts)


def chain(mdp: FiniteMDP, policy: tuple[int, ...]) -> NDArray[np.float64]:
    dense = mdp.matrix.toarray().reshape(mdp.n_states, mdp.n_actions, mdp.n_states)
    return dense[np.arange(mdp.n_states), list(policy)]


def visits(mdp: FiniteMDP, state: int, discount: float, **kept: int) -> NDArray[np.float64]:
    """[F, S] the visit distributions f of `state` at `discount`, one row for each policy."""
    eye = np.eye(mdp.n_states)
    return np.array([
        np.linalg.solve((eye - discount * chain(mdp, policy)).T, eye[state])
        for policy in policies(mdp, **kept)
    ])  # fmt: skip


def settled(mdp: FiniteMDP, state: int, **kept: int) -> NDArray[np.float64]:
    """[F, S] the recurrent state distributions of `state`, exactly: Cesaro limits of powers."""
    rows = []
    for policy in policies(mdp, **kept):
        P = chain(mdp, policy)
        # The lazy chain has the same recurrent distributions and no period, so powers converge.
        lazy = (P + np.eye(len(P))) / 2
        for _ in range(60):
            lazy = lazy @ lazy
            lazy /= lazy.sum(axis=1, keepdims=True)
        rows.append(lazy[state])
    return np.array(rows)


def orbit(reward: NDArray[np.float64]) -> NDArray[np.float64]:
    """[orbit, ...] the distinct permutations of the states of `reward [..., S]`."""
    n = reward.shape[-1]
    turned = [reward[..., list(order)] for order in itertools.permutations(range(n))]
    flat = np.unique(np.array(turned).reshape(len(turned), -1), axis=0)
    return flat.reshape(-1, *reward.shape)


def wins(
    more: NDArray[np.float64],
    less: NDArray[np.float64],
    rest: NDArray[np.float64] | None,
    rewards: NDArray[np.float64],
) -> tuple[int, int]:
    """How many of the orbit of a mixture prefer `more [F, S]`, and how many `less [F', S]`.

    `rewards` is `[K, S]`: the distribution that draws each of K rewards equally often. An option is
    preferred if it is optimal, against `rest` too, for more of the K.
    """
    turned = orbit(rewards)
    best = [(turned @ options.T).max(axis=2) for options in (more, less)]
    top = np.maximum(*best)
    if rest is not None:
        top = np.maximum(top, (turned @ rest.T).max(axis=2))
    share = [(values >= top - TIE).sum(axis=1) for values in best]
    return int((share[0] > share[1]).sum()), int((share[0] < share[1]).sum())


def power_wins(
    more: dict[int, float], less: dict[int, float], options: Options, rewards: NDArray[np.float64]
) -> tuple[int, int]:
    """The same for POWER, up to a factor, expected over the states of `more` and of `less`.

    `options(state)` is `[F, S]`: what the state's best value is the largest product with.
    """
    turned = orbit(rewards)
    power = [
        sum(chance * (turned @ options(state).T).max(axis=2) for state, chance in side.items())
        for side in (more, less)
    ]
    gap = (power[0] - power[1]).mean(axis=1)
    return int((gap > TIE).sum()), int((gap < -TIE).sum())


@st.composite
def small_processes(draw: st.DrawFn, n_states: int = 5) -> FiniteMDP:
    """Processes with few distinct rows, so that symmetries are common: absorbing states, fair
    coins over two states, sure steps; state 0 has up to 3 acts."""
    state = st.integers(0, n_states - 1)
    rows = []
    for source in range(n_states):
        acts = draw(st.integers(2, 3) if source == 0 else st.integers(1, 2))
        for action in range(acts):
            kind = draw(st.sampled_from(["stay", "step", "step", "coin"]))
            if kind == "coin":
                first, second = draw(st.lists(state, min_size=2, max_size=2, unique=True))
                rows += [(source, action, first, 0.5), (source, action, second, 0.5)]
            else:
                to = source if kind == "stay" and source else draw(state)
                rows.append((source, action, to, 1.0))
    return FiniteMDP.from_coo(n_states, 3, rows)


def mixtures(n_states: int, seed: int, size: int = 1) -> NDArray[np.float64]:
    """[size, S] generic rewards, or with ties when the seed is odd."""
    generator = np.random.default_rng(seed)
    if seed % 2:
        return generator.integers(0, 3, size=(size, n_states)).astype(np.float64)
    return generator.random((size, n_states))


@st.composite
def twin_processes(draw: st.DrawFn) -> FiniteMDP:
    """State 0 leads to twins 1, 2 and 3, 4, of which the second pair may have more acts; a third
    act, and acts that lead out of a pair, break the symmetry now and then."""
    twin = (0, 3, 4, 1, 2)
    often = st.integers(0, 5)
    rows = [(0, 0, 3, 1.0), (0, 1, 1, 1.0)]
    if draw(st.booleans()):
        rows.append((0, 2, draw(st.integers(0, 4)), 1.0))
    inside = st.sampled_from([1, 1, 2, 2, 0]) if draw(often) else st.integers(0, 4)
    for source in (1, 2):
        for action in range(draw(st.integers(1, 2))):
            ends = sorted(draw(st.sets(inside, min_size=1, max_size=2)))
            for to in ends:
                rows.append((source, action, to, 1 / len(ends)))
                rows.append((twin[source], action, twin[to], 1 / len(ends)))
        if draw(st.booleans()):
            rows.append((twin[source], 2, draw(st.sampled_from([3, 3, 4, 4, 0, 2])), 1.0))
    return FiniteMDP.from_coo(5, 3, rows)


@st.composite
def hub_processes(draw: st.DrawFn, *, apart: bool = False) -> FiniteMDP:
    """State 0 leads to three leaves 1, 2, 3 that behave alike, and by further acts elsewhere: most
    of these leave several copies of a leaf among the others, some break the symmetry.

    With `apart` the further acts lead to no leaf, or only by way of state 4.
    """
    kinds = ["stay", "back"] if apart else ["stay", "out", "back", "coin"]
    leaf_acts = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=2))
    rows = [(0, act, act + 1, 1.0) for act in range(3)]
    for leaf in (1, 2, 3):
        ends = {"stay": [leaf], "out": [4], "back": [0], "coin": [leaf, 4]}
        for act, kind in enumerate(leaf_acts):
            rows += [(leaf, act, to, 1 / len(ends[kind])) for to in ends[kind]]
    beyond = [4, 4, 4, 5, 1] if apart else [4, 4, 5, 0, 1]
    for act in range(draw(st.integers(1, 2))):
        rows.append((4, act, draw(st.sampled_from(beyond)), 1.0))
    rows.append((5, 0, draw(st.sampled_from([5, 5, 4])), 1.0))
    outside = [[4], [5], [4, 5]]
    third = outside if apart else [*outside, [4, 5], [1, 2, 3], [2, 4], [1, 4], [1, 5]]
    for number in range(draw(st.integers(1, 2))):
        onto = draw(st.sampled_from(third))
        rows += [(0, 3 + number, to, 1 / len(onto)) for to in onto]
    return FiniteMDP.from_coo(6, 5, rows)


@st.composite
def hub_and_end_processes(draw: st.DrawFn) -> FiniteMDP:
    """State 0 leads to leaves 2, 3 and at times 4; state 1 is such a leaf that 0 does not reach."""
    leaf_acts = ["stay", *draw(st.lists(st.sampled_from(["out", "coin"]), max_size=1))]
    last = draw(st.integers(2, 3))
    rows = [(0, act, act + 2, 1.0) for act in range(last)]
    if draw(st.booleans()):
        rows.append((0, last, 5, 1.0))
    for leaf in (1, 2, 3, 4):
        ends = {"stay": [leaf], "out": [5], "coin": [leaf, 5]}
        for act, kind in enumerate(leaf_acts):
            rows += [(leaf, act, to, 1 / len(ends[kind])) for to in ends[kind]]
    if last == 2 and draw(st.booleans()):
        rows.append((3, 2, 4, 1.0))
    rows.append((5, 0, draw(st.sampled_from([5, 5, 4])), 1.0))
    return FiniteMDP.from_coo(6, 4, rows)


@st.composite
def looser_twin_processes(draw: st.DrawFn) -> FiniteMDP:
    """State 0 leads to twins 3, 4 by act 0 and 1, 2 by act 1; only the first pair may go on to 5,
    and a third act at times leads there or to the second pair too."""
    rows = [(0, 0, 3, 1.0), (0, 1, 1, 1.0)]
    if draw(st.integers(0, 3)) == 0:
        rows.append((0, 2, draw(st.sampled_from([5, 0, 0])), 1.0))
    for source in (1, 2):
        for action in range(draw(st.integers(1, 2))):
            ends = draw(st.lists(st.sampled_from([1, 2]), min_size=1, max_size=2, unique=True))
            for to in ends:
                rows.append((source, action, to, 1 / len(ends)))
                rows.append((source + 2, action, to + 2, 1 / len(ends)))
    for source in (3, 4):
        if draw(st.booleans()):
            rows.append((source, 2, draw(st.sampled_from([5, 5, 4])), 1.0))
    rows.append((5, 0, draw(st.sampled_from([5, 5, 4, 3])), 1.0))
    return FiniteMDP.from_coo(6, 3, rows)
