"""The index over what acts say finds what a comparison of every pair finds, and quickly."""

from __future__ import annotations

import bisect
import fnmatch
import json
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offswitch.guard.policy.act import Act, plain_tool
from offswitch.guard.proxy.reconcile import BROAD, Effect, Reconciled, Timed, _words_of, reconcile

# Few words, clocks and tools, so that names occur, are shared, and windows begin and end on acts.
WORDS = ("git", "git2", "python3.11", "sh", "run.py", "a b", "a", "b", "/", "\n", "-", "", "ü", "")
WORD = st.lists(st.sampled_from(WORDS), max_size=3).map("".join)
SECONDS = st.integers(0, 8).map(float)
ACTS = st.builds(
    Timed,
    SECONDS,
    st.builds(
        Act, kind=st.sampled_from(["tool", "http"]), host=WORD, path=WORD,
        tool=st.sampled_from(["write", "BASH", "mcp__files__write", "run_it", ""]),
        arguments=st.dictionaries(WORD, st.lists(WORD, max_size=3).map(" ".join), max_size=2),
    ),
)  # fmt: skip
EFFECTS = st.builds(
    Effect, SECONDS, st.sampled_from(["file", "program", "host"]), WORD,
    st.lists(WORD, max_size=3).map(tuple),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.lists(ACTS, max_size=8), st.lists(ACTS, max_size=4), st.lists(EFFECTS, max_size=8),
    st.integers(0, 5).map(float),
)  # fmt: skip
def test_what_explains_what_is_what_a_comparison_of_every_pair_says(
    proposed: list[Timed], executed: list[Timed], effects: list[Effect], window_s: float
) -> None:
    found = reconcile(proposed, executed, effects, window_s=window_s)
    assert _explained(found) == pairwise(proposed, executed, effects, window_s)


def _explained(found: Reconciled) -> tuple[object, ...]:
    return found.hidden_effects, found.without_effect, found.explained, found.loosely_explained


def pairwise(
    proposed: Sequence[Timed], executed: Sequence[Timed], effects: Sequence[Effect], window_s: float
) -> tuple[object, ...]:
    """The same by the definition: every effect against every act in its window."""
    proposed = sorted(proposed, key=lambda one: one.seconds)
    acts = sorted([*proposed, *executed], key=lambda one: one.seconds)
    times = [one.seconds for one in acts]
    named, loosely, unexplained = set[int](), 0, list[Effect]()
    for effect in effects:
        window = acts[
            bisect.bisect_left(times, effect.seconds - window_s) : bisect.bisect_right(
                times, effect.seconds
            )
        ]
        naming = [id(one) for one in window if _names(one.act, effect)]
        broad = [id(one) for one in window if not naming and _broad(one.act)]
        named.update(naming, broad)
        loosely += bool(broad)
        unexplained += [] if naming or broad else [effect]
    without_effect = tuple(one for one in proposed if id(one) not in named)
    explained = len(effects) - loosely - len(unexplained)
    return tuple(unexplained), without_effect, explained, loosely


def _names(act: Act, effect: Effect) -> bool:
    text = f"{act.tool} {act.host} {act.path} {json.dumps(act.arguments, ensure_ascii=False)}"
    subject = effect.subject.rstrip("/")
    name = subject if effect.kind == "host" else subject.rpartition("/")[2]
    if effect.kind != "program":
        return bool(name) and name in text
    called = [words for one in (name, *effect.names) if (words := _words_of(one))]
    return any(words <= _words_of(text) for words in called)


def _broad(act: Act) -> bool:
    return any(fnmatch.fnmatchcase(plain_tool(act).lower(), glob) for glob in BROAD)


def test_two_thousand_starts_against_six_hundred_acts_of_a_minute_are_no_wait() -> None:
    acts = [
        Timed(i / 10, Act(kind="tool", tool="write", arguments={"path": f"{i}.py", "text": "a b"}))
        for i in range(600)
    ]
    starts = [Effect(60.0 + i / 1e6, "program", f"sly{i}", ("sh", "x")) for i in range(2000)]
    begun = time.process_time()
    found = reconcile(acts, [], starts)
    took = time.process_time() - begun
    assert len(found.hidden_effects) == 2000
    assert took < 1.5, f"{took:.2f} processor seconds; pair by pair it takes 5"
