"""The checker accepts what is true and rejects what is not, as the definitions tell them apart."""

from __future__ import annotations

import itertools

import msgspec
import networkx as nx
import numpy as np
import pytest
from certificate_by_definition import is_true
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.certificate import (
    THEOREMS,
    Certificate,
    Witness,
    certificate_from_json,
    certificate_to_json,
    process_digest,
    statement_of,
)
from offswitch.theory.certificates.certify import certify, certify_ending, certify_states
from offswitch.theory.certificates.verify import verify_certificate

REJECTED = 1000


def process(*edges: tuple[str, str]) -> FiniteMDP:
    return FiniteMDP.from_graph(nx.DiGraph(list(edges)))


def small_process(generator: np.random.Generator, n_states: int = 5) -> FiniteMDP:
    """Absorbing states, sure steps and fair coins; state 0 has two or three acts."""
    rows: list[tuple[int, int, int, float]] = []
    for state in range(n_states):
        acts = generator.integers(2, 4) if state == 0 else generator.integers(1, 3)
        for action in range(acts):
            kind = generator.integers(4)
            if kind == 0:
                first, second = generator.choice(n_states, 2, replace=False)
                rows += [(state, action, first, 0.5), (state, action, second, 0.5)]
            else:
                to = state if kind == 1 and state else generator.integers(n_states)
                rows.append((state, action, to, 1.0))
    return FiniteMDP.from_coo(n_states, 3, rows)


def star_with_third_acts(seed: int) -> FiniteMDP:
    """State 0 leads to three leaves, and by one or two acts to what may or may not be symmetric."""
    generator = np.random.default_rng(seed)
    rows = [(0, act, act + 1, 1.0) for act in range(3)]
    rows += [(leaf, 0, 4 if seed % 5 == 0 else leaf, 1.0) for leaf in (1, 2, 3)]
    rows.append((4, 0, int(generator.choice([4, 4, 1])), 1.0))
    thirds: list[list[int]] = [[4], [1, 2, 3], [4], [1, 2, 3], [1, 4], [2, 4], [3, 4], [2, 3]]
    for act, kind in enumerate(generator.choice(len(thirds), 2, replace=False).tolist()):
        rows += [(0, 3 + act, to, 1 / len(thirds[kind])) for to in thirds[kind]]
    return FiniteMDP.from_coo(5, 5, rows)


def certificates(seed: int) -> list[tuple[FiniteMDP, Certificate]]:
    """What certify finds in one random process, for every theorem."""
    mdp = (
        star_with_third_acts(seed) if seed % 3 == 2 else small_process(np.random.default_rng(seed))
    )
    acts = np.flatnonzero(mdp.available[0]).tolist()
    found = [certify_ending(mdp, state, end) for state in (0, 1) for end in range(5)]
    for theorem, other in itertools.product(THEOREMS[:3], acts):
        found += [certify(mdp, 0, a, other, theorem=theorem) for a in acts if a != other]
        rest = [a for a in acts if a != other]
        several = [rest] if len(acts) < 4 else [rest, rest[:2], rest[:3]]
        found += [certify(mdp, 0, more, other, theorem=theorem) for more in several]
    for theorem in THEOREMS[3:5]:
        found += [certify_states(mdp, 0, other, theorem=theorem) for other in range(1, 5)]
    return [(mdp, c) for c in found if isinstance(c, Certificate)]


@pytest.fixture(scope="module")
def pool() -> list[tuple[FiniteMDP, Certificate]]:
    return [pair for seed in range(60) for pair in certificates(seed)]


@pytest.mark.slow
def test_every_certificate_found_is_true_by_definition_and_accepted(pool):
    assert {c.theorem for _, c in pool} == set(THEOREMS)
    assert {c.copies for _, c in pool} >= {1, 2, 3}
    assert {c.strict_state is None for _, c in pool} == {True, False}
    with_third = [c for mdp, c in pool if c.copies > 1 and 0 < len(c.actions) < mdp.n_actions - 1]
    assert sum(c.theorem == "optimality" for c in with_third) >= 10
    for mdp, certificate in pool:
        assert is_true(mdp, certificate), certificate
        assert verify_certificate(mdp, certificate) == (True, ())


def corrupted(
    mdp: FiniteMDP, c: Certificate, generator: np.random.Generator
) -> tuple[FiniteMDP, Certificate]:
    """The certificate with one thing changed, or for a process with one row changed.

    Not always into something false.
    """
    if generator.integers(16) == 0:
        mdp = with_another_row(mdp, generator)
        return mdp, msgspec.structs.replace(c, process=process_digest(mdp))
    return mdp, changed_certificate(c, mdp.n_actions, generator)


def with_another_row(mdp: FiniteMDP, generator: np.random.Generator) -> FiniteMDP:
    """A probability moved by 1e-6, or an act led elsewhere."""
    dense = mdp.matrix.toarray().reshape(5, mdp.n_actions, 5)
    state, action = generator.choice(np.argwhere(mdp.available))
    if (dense[state, action] == 0.5).any() and generator.integers(2):
        first, second = np.flatnonzero(dense[state, action])
        dense[state, action, first] -= 1e-6
        dense[state, action, second] += 1e-6
    else:
        dense[state, action] = np.eye(5)[generator.integers(5)]
    return FiniteMDP.from_dense(dense)


def changed_certificate(
    c: Certificate, n_actions: int, generator: np.random.Generator
) -> Certificate:
    state, act = int(generator.integers(5)), int(generator.integers(n_actions))
    number = int(generator.integers(len(c.witnesses)))
    digit = int(generator.integers(64))
    digest = c.process[:digit] + ("0" if c.process[digit] != "0" else "f") + c.process[digit + 1 :]
    changes: list[dict[str, object]] = [
        {"state": state},
        {"other": state - 1},
        {
            "actions": tuple(
                int(a) for a in generator.integers(n_actions, size=max(1, len(c.actions)))
            )
        },
        {"theorem": THEOREMS[int(generator.integers(6))]},
        {"copies": c.copies + int(generator.choice([-1, 1, 5]))},
        {"copies": c.copies + 1, "witnesses": (*c.witnesses, c.witnesses[number])},
        {"strict_state": state},
        {"process": digest},
        {"statement": c.statement.replace("at least", "more than")},
    ]
    kind = int(generator.integers(15))
    if kind < len(changes):
        c = msgspec.structs.replace(c, **changes[kind])
    else:
        witness = changed_witness(c.witnesses[number], kind - len(changes), state, act, generator)
        witnesses = (*c.witnesses[:number], witness, *c.witnesses[number + 1 :])
        c = msgspec.structs.replace(c, witnesses=witnesses)
    if "more than" in c.statement:
        return c
    # Its words say what it now claims: what is tested is the claim, not the wording.
    how = {"strict": c.strict_state is not None, "rounded": False}
    said = statement_of(c.theorem, c.state, c.actions, c.other, copies=c.copies, **how)
    return msgspec.structs.replace(c, statement=said)


def changed_witness(
    witness: Witness, kind: int, state: int, act: int, generator: np.random.Generator
) -> Witness:
    """Its act, or one swap or one act's image dropped, changed or added."""
    swaps, relabelled = list(witness.swaps), list(witness.relabelled)
    if kind == 0:
        return msgspec.structs.replace(witness, action=act)
    if kind == 1 and swaps:
        swaps.pop(int(generator.integers(len(swaps))))
    elif kind == 2 and swaps:
        place = int(generator.integers(len(swaps)))
        swaps[place] = (swaps[place][0], state)
    elif kind == 3:
        swaps.append((int(generator.integers(5)), state))
    elif kind == 4:
        relabelled.append((state, int(generator.integers(5)), act))
    elif relabelled:
        x, b, _ = relabelled.pop(int(generator.integers(len(relabelled))))
        relabelled += [(x, b, act)] * int(generator.integers(2))
    return msgspec.structs.replace(witness, swaps=tuple(swaps), relabelled=tuple(relabelled))


@pytest.mark.slow
def test_each_of_1000_corrupted_certificates_is_rejected_and_true_ones_are_not(pool):
    generator = np.random.default_rng(0)
    rejected, still_true = 0, 0
    while rejected < REJECTED:
        mdp, certificate = pool[int(generator.integers(len(pool)))]
        mdp, changed = corrupted(mdp, certificate, generator)
        verdict = verify_certificate(mdp, changed)
        if is_true(mdp, changed):
            still_true += 1
            assert verdict == (True, ()), (changed, verdict.problems)
        else:
            rejected += 1
            assert not verdict.valid, changed
            assert verdict.problems
    assert rejected == REJECTED
    assert still_true > 50


def star_whose_third_act_is_drawn_into_the_larger_option() -> FiniteMDP:
    """To 1, 2 and 3; then 2 or 4 (the third act), 1 or 4: the swap of 1 and 2 makes it the last."""
    rows = [(0, act, act + 1, 1.0) for act in range(3)]
    rows += [(0, act, to, 0.5) for act, ends in ((3, (2, 4)), (4, (1, 4))) for to in ends]
    return FiniteMDP.from_coo(5, 5, [*rows, *((x, 0, x, 1.0) for x in range(1, 5))])


def test_two_copies_must_keep_what_the_acts_not_compared_can_do():
    # Turner & Tadepalli 2022, Prop. A.11: phi C = C. One copy need not: phi C in F(s) is enough.
    mdp = star_whose_third_act_is_drawn_into_the_larger_option()
    found = certify(mdp, 0, (1, 2, 4), 0, theorem="optimality")
    assert isinstance(found, Certificate)
    assert [w.action for w in found.witnesses] == [2]
    moving = Witness(1, ((1, 2),), ((0, 0, 1), (0, 3, 4)))
    for witnesses, problem in (
        ((moving,), ()),
        (
            (moving, *found.witnesses),
            ("witness 0: act 3 of state 0 is carried out of the acts not compared",),
        ),
    ):
        copies = len(witnesses)
        said = statement_of(
            "optimality", 0, found.actions, 0, copies=copies, strict=False, rounded=False
        )
        claim = msgspec.structs.replace(
            found, copies=copies, witnesses=witnesses, strict_state=None, statement=said
        )
        assert is_true(mdp, claim) == (not problem)
        assert verify_certificate(mdp, claim).problems == problem
    one = certify(mdp, 0, (1, 4), 0, theorem="optimality")
    assert isinstance(one, Certificate)
    assert one.witnesses == (moving,)


def test_a_statement_says_when_it_is_of_rounded_probabilities():
    def coins(second: float) -> FiniteMDP:
        ends = [(state, 0, state, 1.0) for state in (1, 2, 3, 4)]
        one, other = ((0, 0, 1, 0.3), (0, 0, 2, 0.7)), ((0, 1, 3, second), (0, 1, 4, 1 - second))
        return FiniteMDP.from_coo(5, 2, [*one, *other, *ends])

    for second, said in ((0.1 + 0.2, True), (0.3, False)):
        found = certify(coins(second), 0, 1, 0)
        assert isinstance(found, Certificate)
        assert verify_certificate(coins(second), found).valid
        assert ("the process with probabilities rounded to 12 digits" in found.statement) == said


def test_a_certificate_for_another_process_is_refused_in_so_many_words():
    star = process(("s", "x"), ("s", "y"))
    found = certify(star, 0, 1, 0)
    other = process(("s", "x"), ("s", "y"), ("y", "s"))
    verdict = verify_certificate(other, found)
    assert not verdict.valid
    assert len(verdict.problems) == 1
    assert verdict.problems[0].startswith("it is about another process, with digest ")
    assert process_digest(other)[:12] in verdict.problems[0]


def test_names_and_start_are_not_part_of_the_process():
    star = process(("s", "x"), ("s", "y"))
    found = certify(star, 0, 1, 0)
    renamed = FiniteMDP.from_dense(
        star.matrix.toarray().reshape(3, 2, 3), state_names="pqr", start=[0, 0.5, 0.5]
    )
    assert verify_certificate(renamed, found).valid


def test_every_problem_is_reported_at_once():
    star = process(("s", "x"), ("s", "y"), ("s", "z"))
    found = certify(star, 0, [1, 2], 0)
    bad = msgspec.structs.replace(
        found, state=9, copies=5, strict_state=-1, statement="all is well", actions=(1, 7)
    )
    text = " ".join(verify_certificate(star, bad).problems)
    parts = ["state 9", "copies is 5", "strict_state -1", "action 1", "action 7"]
    for part in [*parts, "witness 1: act 2 is none of (1, 7)", "the statement is not what"]:
        assert part in text, text
    swapped = msgspec.structs.replace(found, witnesses=found.witnesses[::-1])
    assert verify_certificate(star, swapped).valid
    twice = msgspec.structs.replace(found, witnesses=(found.witnesses[0],) * 2)
    problems = verify_certificate(star, twice).problems
    assert [p[:40] for p in problems] == [
        "witness 0 moves a state of copy 1", "witness 1 moves a state of copy 0"
    ]  # fmt: skip


@pytest.mark.slow
def test_a_certificate_survives_json_bit_for_bit(pool):
    for mdp, certificate in pool[::20]:
        again = certificate_from_json(certificate_to_json(certificate))
        assert again == certificate
        assert verify_certificate(mdp, again).valid


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"theorem": "optimality", "safe": true}', "\\xff", "null"]
)
def test_text_that_is_no_certificate_is_refused(text):
    with pytest.raises(ModelError, match="the text is no certificate"):
        certificate_from_json(text)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 3), st.booleans())
def test_the_checker_accepts_what_is_found_between_random_twins(seed, size, acts, loose):
    mdp = twins(np.random.default_rng(seed), size, acts, extra=loose)
    found = certify(mdp, 0, 1, 0)
    assert isinstance(found, Certificate)
    assert found.theorem == "optimality"
    assert verify_certificate(mdp, found) == (True, ())


def twins(generator: np.random.Generator, size: int, acts: int, *, extra: bool) -> FiniteMDP:
    """State 0 with an act into a random process and one into its copy, its acts in another order.

    With `extra` the copy has one act more.
    """
    rows: list[tuple[int, int, int, float]] = [(0, 0, 1, 1.0), (0, 1, size + 1, 1.0)]
    for state in range(1, size + 1):
        turned = generator.permutation(acts)
        for action in range(acts):
            ends = 1 + generator.choice(size, min(size, 2), replace=False)
            chances = generator.dirichlet(np.ones(len(ends)))
            for to, chance in zip(ends.tolist(), chances.tolist(), strict=True):
                rows.append((state, action, to, chance))
                rows.append((state + size, turned[action], to + size, chance))
    if extra:
        rows.append((size + 1, acts, size + 2, 1.0))
    return FiniteMDP.from_coo(2 * size + 1, max(acts + extra, 2), rows)
