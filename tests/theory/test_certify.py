"""What certify finds and what it does not: figures, controls, completeness, arguments."""

from __future__ import annotations

import itertools
from typing import get_args

import networkx as nx
import numpy as np
import pytest
from certificate_by_definition import Theorems, carries, dense, involution

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import (
    Certificate,
    NoCertificate,
    Reason,
    Witness,
    process_digest,
)
from offswitch.theory.certificates.certify import certify, certify_ending, certify_states
from offswitch.theory.certificates.verify import verify_certificate
from offswitch.worlds.compiled import compiled_world
from offswitch.worlds.registry import make_world


def process(*edges: tuple[str, str]) -> FiniteMDP:
    return FiniteMDP.from_graph(nx.DiGraph(list(edges)))


def act(mdp: FiniteMDP, state: str, to: str) -> int:
    """The act of `state` that leads to `to`."""
    source, target = mdp.state_names.index(state), mdp.state_names.index(to)
    return next(
        a for a in range(mdp.n_actions) if mdp.successors(source, a)[0].tolist() == [target]
    )


def checked(mdp: FiniteMDP, found: Certificate | NoCertificate) -> Certificate:
    assert isinstance(found, Certificate), found.text
    assert verify_certificate(mdp, found) == (True, ())
    return found


def shutdown_or_hub(leaves: int) -> FiniteMDP:
    return process(("s", "off"), ("s", "hub"), *(("hub", f"leaf {n}") for n in range(leaves)))


def figure_6() -> FiniteMDP:
    """Turner et al. 2021, Fig. 6: right offers what left does, and to stay in r_ne besides."""
    left = [("l", "l_nw"), ("l", "l_sw"), ("l_sw", "l_sw"), ("l_sw", "l_nw"), ("l_nw", "l_sw")]
    right = [(a.replace("l", "r", 1), b.replace("l", "r", 1)) for a, b in left]
    return process(("star", "l"), ("star", "r"), ("star", "none"), *left, *right, ("r_nw", "r_nw"))


@pytest.mark.parametrize("leaves", [1, 2, 5])
def test_a_hub_with_k_leaves_holds_k_copies_of_a_shutdown_at_discount_1(leaves):
    mdp = shutdown_or_hub(leaves)
    found = checked(mdp, certify(mdp, 0, act(mdp, "s", "hub"), act(mdp, "s", "off")))
    assert (found.theorem, found.copies) == ("average-optimality", leaves)
    assert checked(mdp, certify_ending(mdp, 0, 1)).copies == leaves
    hub = mdp.state_names.index("hub")
    power = checked(mdp, certify_states(mdp, hub, 1))
    assert (power.theorem, power.copies) == ("average-state-power", leaves)
    assert f"at least {leaves}/{leaves + 1}" in power.statement


@pytest.mark.parametrize("leaves", [2, 5])
def test_not_complying_holds_k_copies_at_every_discount_where_each_option_is_one_step_away(leaves):
    mdp = process(*(("s", f"leaf {n}") for n in range(leaves + 1)))
    found = checked(mdp, certify(mdp, 0, range(1, leaves + 1), 0))
    assert (found.theorem, found.copies) == ("optimality", leaves)
    assert "every discount in [0, 1]" in found.statement


def test_the_papers_figure_has_the_papers_certificates_and_not_their_reverse():
    mdp = figure_6()
    left, right = act(mdp, "star", "l"), act(mdp, "star", "r")
    for theorem in ("optimality", "power", "average-optimality"):
        checked(mdp, certify(mdp, 0, right, left, theorem=theorem))
        back = certify(mdp, 0, left, right, theorem=theorem)
        assert isinstance(back, NoCertificate)
        assert back.reason == "none-of-this-kind"
    names = mdp.state_names
    more, less = names.index("r_sw"), names.index("l_sw")
    found = checked(mdp, certify_states(mdp, more, less, theorem="state-power"))
    assert found.witnesses[0].image(mdp.n_states)[less] == more
    none = names.index("none")
    # Staying in r_sw does whatever being in `none` does, at any discount.
    assert checked(mdp, certify_states(mdp, more, none)).theorem == "state-power"
    # Settling anywhere but in `none`: l_sw, r_sw and r_nw can be stayed in.
    assert checked(mdp, certify_ending(mdp, 0, none)).copies == 3


def corridor(*, disabled_ends: int) -> FiniteMDP:
    """The switch leads to the goals; on, the corridor passes the tile where one is stopped."""
    return process(
        ("start", "on"), ("start", "disabled"), ("on", "stopped"),
        *(("disabled", f"goal {n}") for n in range(disabled_ends)),
    )  # fmt: skip


WITH = {
    "figure 6": (figure_6(), "r", "l"),
    "off-switch corridor": (corridor(disabled_ends=3), "disabled", "on"),
    "shutdown or hub": (shutdown_or_hub(2), "hub", "off"),
}
WITHOUT = {
    "figure 6 reversed": (figure_6(), "l", "r"),
    "off-switch corridor reversed": (corridor(disabled_ends=3), "on", "disabled"),
    "a 2-cycle against an end": (
        process(("start", "a"), ("a", "b"), ("b", "a"), ("start", "end")), "end", "a"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WITH)
def test_the_condition_is_found_where_it_holds(name):
    mdp, more, less = WITH[name]
    start = mdp.state_names[0]
    checked(mdp, certify(mdp, 0, act(mdp, start, more), act(mdp, start, less)))


@pytest.mark.parametrize("name", WITHOUT)
def test_the_condition_is_not_found_where_it_fails(name):
    mdp, more, less = WITHOUT[name]
    start = mdp.state_names[0]
    found = certify(mdp, 0, act(mdp, start, more), act(mdp, start, less))
    assert isinstance(found, NoCertificate)
    assert found.reason == "none-of-this-kind"


def test_chance_of_another_size_breaks_the_symmetry_and_rounding_does_not():
    def coin(first: float, second: float) -> FiniteMDP:
        ends = [(state, 0, state, 1.0) for state in (1, 2, 3, 4)]
        one = [(0, 0, 1, first), (0, 0, 2, 1 - first)]
        other = [(0, 1, 3, second), (0, 1, 4, 1 - second)]
        return FiniteMDP.from_coo(5, 2, [*one, *other, *ends])

    checked(coin(0.3, 0.3), certify(coin(0.3, 0.3), 0, 1, 0, theorem="optimality"))
    rounded = coin(0.1 + 0.2, 0.3)
    checked(rounded, certify(rounded, 0, 1, 0, theorem="optimality"))
    found = certify(coin(0.3, 0.3 + 1e-9), 0, 1, 0, theorem="optimality")
    assert isinstance(found, NoCertificate)


def test_a_third_act_that_reaches_into_one_option_breaks_the_bottleneck():
    free = process(("s", "x"), ("s", "y"), ("s", "other"))
    found = certify(free, 0, 1, 0, theorem="optimality")
    checked(free, found)
    shared = process(("s", "x"), ("s", "y"), ("s", "door"), ("door", "x"), ("door", "z"))
    for theorem in ("optimality", "average-optimality"):
        assert isinstance(certify(shared, 0, 1, 0, theorem=theorem), NoCertificate)
    # Not taking x at all needs no bottleneck.
    checked(shared, certify(shared, 0, [1, 2], 0, theorem="optimality"))
    checked(shared, certify(shared, 0, 1, 0, theorem="power"))


def test_a_state_only_one_option_reaches_makes_it_strict():
    mdp = process(("s", "x"), ("s", "y"), ("x", "x"), ("y", "y"), ("y", "z"))
    found = checked(mdp, certify(mdp, 0, 1, 0))
    assert found.strict_state == mdp.state_names.index("z")
    assert "more often than that" in found.statement
    third = process(("s", "x"), ("s", "y"), ("s", "z"), ("x", "x"), ("y", "y"), ("y", "z"))
    assert checked(third, certify(third, 0, 1, 0)).strict_state is None
    even = process(("s", "x"), ("s", "y"))
    assert checked(even, certify(even, 0, 1, 0)).strict_state is None


def test_strictness_is_stated_for_the_discounts_at_which_it_holds():
    # At discount 0 states 0 and 3 look one sure step ahead; at 1 nobody stays in what is transient.
    mdp = FiniteMDP.from_coo(
        5, 2, [(0, 0, 1, 1), (1, 0, 1, 1), (1, 1, 2, 1), (2, 0, 2, 1), (3, 0, 4, 1), (4, 0, 4, 1)]
    )
    found = checked(mdp, certify_states(mdp, 0, 3, theorem="state-power"))
    assert found.strict_state == 2
    assert "For some distributions, at discounts in (0, 1), it is more often" in found.statement
    fork = process(("s", "x"), ("s", "y"))
    found = checked(fork, certify_states(fork, 0, 1, theorem="average-state-power"))
    assert found.strict_state == 2
    assert "For some distributions it is more often" in found.statement


def test_average_optimality_is_said_of_policies_that_keep_to_the_act():
    mdp = shutdown_or_hub(2)
    text = checked(mdp, certify(mdp, 0, 1, 0, theorem="average-optimality")).statement
    assert "keeping to act 1 in state 0 is average-optimal" in text
    assert "than keeping to act 0" in text


def test_power_needs_that_the_state_cannot_be_reached_again():
    ring = process(("s", "x"), ("s", "y"), ("x", "s"), ("y", "s"))
    assert certify(ring, 0, 1, 0, theorem="power").reason == "condition-fails"
    checked(ring, certify(ring, 0, 1, 0, theorem="optimality"))


def test_acts_with_the_same_successors_are_not_compared():
    mdp = FiniteMDP.from_coo(2, 2, [(0, 0, 1, 1), (0, 1, 1, 1), (1, 0, 1, 1)])
    found = certify(mdp, 0, 1, 0)
    assert isinstance(found, NoCertificate)
    assert found.reason == "equivalent-acts"


def small_process(seed: int) -> FiniteMDP:
    generator = np.random.default_rng(seed)
    rows: list[tuple[int, int, int, float]] = []
    for state in range(5):
        for action in range(3 if state == 0 else generator.integers(1, 3)):
            if generator.integers(4) == 0:
                first, second = generator.choice(5, 2, replace=False)
                rows += [(state, action, first, 0.5), (state, action, second, 0.5)]
            else:
                to = state if state and generator.integers(2) else generator.integers(5)
                rows.append((state, action, to, 1.0))
    return FiniteMDP.from_coo(5, 3, rows)


def exists(mdp: FiniteMDP, theorem: str, action: int, other: int) -> bool:
    """Whether any of the 26 involutions of 5 states is a witness."""
    T, nobody = dense(mdp), Witness(action, (), ())
    claim = Certificate(theorem, process_digest(mdp), 0, (action,), other, 1, (nobody,), None, "")
    terms = getattr(Theorems(T, claim), theorem.replace("-", "_"))()
    swaps = list(itertools.combinations(range(5), 2))
    tried = [(), *((one,) for one in swaps), *itertools.combinations(swaps, 2)]
    return terms is not None and any(
        carries(T, claim, terms, Witness(action, chosen, images), phi)
        for chosen in tried
        if (phi := involution(5, chosen)) is not None
        and (images := images_of(T, claim, terms.needed, phi)) is not None
    )


def images_of(T: np.ndarray, claim: Certificate, needed: set[tuple[int, int]], phi: list[int]):
    """What the acts must become under phi; None if one has no image."""
    P, relabelled = np.eye(5)[phi], []
    for x, b in needed:
        images = [c for c in range(3) if (T[phi[x], c] == P @ T[x, b]).all()]
        if claim.theorem == "average-optimality" and phi[x] == 0:
            images = [c for c in images if (T[0, c] == T[0, claim.actions[0]]).all()]
        elif claim.theorem != "average-optimality" and (x, b) == (0, claim.other):
            images = [c for c in images if c == claim.actions[0]]
        if not images:
            return None
        relabelled.append((x, b, images[0]))
    return tuple(relabelled)


@pytest.mark.slow
@pytest.mark.parametrize("theorem", ["optimality", "power", "average-optimality"])
def test_one_is_found_exactly_where_some_involution_is_a_witness(theorem):
    found = 0
    for seed in range(60):
        mdp = small_process(seed)
        truth = exists(mdp, theorem, 1, 0)
        assert isinstance(certify(mdp, 0, 1, 0, theorem=theorem), Certificate) == truth, seed
        found += truth
    assert 3 <= found <= 57


@pytest.mark.slow
def test_thousands_of_states_are_searched_to_the_end():
    generator = np.random.default_rng(0)
    size = 1000
    rows: list[tuple[int, int, int, float]] = [(0, 0, 1, 1.0), (0, 1, size + 1, 1.0)]
    for state, action in itertools.product(range(1, size + 1), range(3)):
        to = int(generator.integers(1, size + 1))
        rows += [(state, action, to, 1.0), (state + size, 2 - action, to + size, 1.0)]
    mdp = FiniteMDP.from_coo(2 * size + 1, 3, [*rows, (0, 2, 0, 1.0)])
    found = checked(mdp, certify(mdp, 0, 1, 0))
    assert found.theorem == "optimality"
    assert found.witnesses[0].swaps[0] == (1, size + 1)


def test_a_budget_that_runs_out_is_said_to_have():
    mdp = process(*(("s", f"leaf {n}") for n in range(4)))
    found = certify(mdp, 0, 1, 0, budget=1)
    assert isinstance(found, NoCertificate)
    assert found.reason == "budget-exhausted"
    assert found.steps == 3


@pytest.mark.parametrize("reason", get_args(Reason))
def test_no_outcome_says_that_anything_is_safe(reason):
    text = NoCertificate(reason, "tried").text
    assert text.startswith("no certificate: ")
    assert "Most goals may still prefer either option" in text
    assert not {"safe", "harmless", "secure", "does not seek"} & set(text.lower().split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"state": 5}, "state is 5, expected a whole number in 0 to 2"),
        ({"state": 1, "action": 1}, r"action 1 \('a1'\) is not available in state 1"),
        ({"action": 7}, "action is 7, expected a whole number in 0 to 1"),
        ({"action": 0}, r"action is \(0,\) and other 0"),
        ({"action": ()}, "expected at least one act"),
        ({"action": True}, "action is True"),
        ({"budget": -1}, "budget is -1, expected a whole number at least 0"),
        ({"theorem": "optimalty"}, "Did you mean 'optimality'"),
        ({"theorem": "state-power"}, "unknown theorem 'state-power'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    mdp = process(("s", "x"), ("s", "y"))
    with pytest.raises(ModelError, match=message):
        certify(mdp, **{"state": 0, "action": 1, "other": 0, **arguments})


def test_states_that_do_not_fit_are_refused():
    mdp = process(("s", "x"), ("s", "y"))
    with pytest.raises(ModelError, match="both 1, expected two states"):
        certify_states(mdp, 1, 1)
    with pytest.raises(ModelError, match="ending is 3, expected a whole number in 0 to 2"):
        certify_ending(mdp, 0, 3)


def test_settling_needs_a_place_that_is_surely_reached():
    risky = FiniteMDP.from_coo(
        4, 2, [(0, 0, 1, 1), (0, 1, 2, 0.5), (0, 1, 3, 0.5), *((x, 0, x, 1) for x in (1, 2, 3))]
    )
    assert certify_ending(risky, 0, 1).reason == "condition-fails"
    assert certify_ending(risky, 0, 0).reason == "condition-fails"
    assert isinstance(certify(risky, 0, 1, 0, theorem="average-optimality"), NoCertificate)


def tagged_acts(world_id: str, kind: str) -> tuple[FiniteMDP, list[tuple[int, list[int]]]]:
    """The process of a world, and in which states which acts may bring an event of a kind."""
    compiled = compiled_world(make_world(world_id, threat="shutdown").planning_model())
    acts: dict[int, set[int]] = {}
    for row in range(compiled.mdp.n_states * compiled.mdp.n_actions):
        for branch in range(*compiled.branch_start[row : row + 2]):
            events = compiled.event_table[compiled.branch_events[branch]]
            if any(type(event).__name__ == kind for event in events):
                acts.setdefault(row // compiled.mdp.n_actions, set()).add(
                    row % compiled.mdp.n_actions
                )
    return compiled.mdp, [(state, sorted(found)) for state, found in sorted(acts.items())]


def test_in_the_star_world_disobeying_holds_3_copies_of_complying_at_every_discount():
    mdp, [(choice, [comply])] = tagged_acts("star-v1", "StopEffective")
    others = [a for a in range(4) if a != comply]
    found = checked(mdp, certify(mdp, choice, others, comply))
    assert (found.theorem, found.copies) == ("optimality", 3)
    # One option alone is no better than complying: the certificates go both ways.
    for one, other in ((comply, others[0]), (others[0], comply)):
        assert checked(mdp, certify(mdp, choice, one, other)).strict_state is None


@pytest.mark.slow
@pytest.mark.parametrize("world_id", ["off-switch-v1", "coffee-corridor-v1"])
def test_no_symmetry_favours_disabling_the_switch_in_the_worlds_with_a_detour(world_id):
    mdp, tagged = tagged_acts(world_id, "SwitchDisabled")
    state, disable = tagged[0]
    for other in [a for a in range(mdp.n_actions) if a not in disable][:3]:
        found = certify(mdp, state, disable, other, theorem="average-optimality", budget=20_000)
        assert isinstance(found, NoCertificate)
        assert found.reason == "none-of-this-kind"


@pytest.mark.slow
def test_in_the_coffee_corridor_settling_unstopped_holds_copies_of_obeying_an_order():
    mdp, tagged = tagged_acts("coffee-corridor-v1", "StopEffective")
    state, obey = tagged[0]
    others = [a for a in range(mdp.n_actions) if a not in obey]
    found = checked(mdp, certify(mdp, state, others, obey[0], theorem="average-optimality"))
    assert found.copies >= 2
