"""A small checker of stop certificates and escapes, row by row, apart from what found them."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.certificates.verify import Verdict
from offswitch.theory.stoppability.stop_question import (
    Escape,
    StopCertificate,
    StopQuestion,
    stop_question,
)

__all__ = ["verify_stop"]

SLACK = 1e-9
"""Allowed in the probability of an escape, which is computed in floating point."""


def verify_stop(
    mdp: FiniteMDP,
    stop: ArrayLike,
    answer: StopCertificate | Escape,
    *,
    within: int | None = None,
    probability: float = 1.0,
    states: ArrayLike | None = None,
    operator: ArrayLike | None = None,
) -> Verdict:
    """Whether an answer of `stoppable` to the same question is right, with every problem.

    A certificate is checked by its ranks or bounds, O(transitions) for each step it has bounds
    for; an escape by following the policy. With an operator an escape is checked only for not
    being stopped along its trace.

    Raises:
        ModelError: the question is malformed.
    """
    question = stop_question(
        mdp, stop, within=within, probability=probability, states=states, operator=operator
    )
    if isinstance(answer, Escape):
        problems = tuple(_escape_problems(question, answer))
    else:
        problems = tuple(_certificate_problems(question, answer))
    return Verdict(not problems, problems)


def _certificate_problems(question: StopQuestion, answer: StopCertificate) -> Iterator[str]:
    if answer.probability < question.probability:
        yield f"it shows probability {answer.probability}, asked {question.probability}"
    late = question.within is not None and (answer.steps is None or answer.steps > question.within)
    if late:
        yield f"it shows {answer.steps} steps, asked {question.within}"
    if answer.claim == "with-probability":
        yield from _bound_problems(question, answer)
    elif (
        answer.rank is None or answer.probability != 1 or len(answer.rank) != question.mdp.n_states
    ):
        yield f"it has no ranks of {question.mdp.n_states} states for probability 1"
    else:
        yield from _rank_problems(question, answer, answer.rank)


def _rank_problems(
    question: StopQuestion, answer: StopCertificate, rank: NDArray[np.int64]
) -> Iterator[str]:
    """Surely: every successor has a lower rank. Almost surely: all are ranked, some lower."""
    sure = answer.claim == "surely"
    for state in np.flatnonzero(question.states):
        if rank[state] < 0:
            yield f"state {state} has no rank"
        elif sure and (answer.steps is None or rank[state] > answer.steps):
            yield f"state {state} has rank {rank[state]}, beyond {answer.steps} steps"
    for state in np.flatnonzero((rank >= 0) & ~question.stopped):
        for act in _acts(question, int(state), answer):
            if act >= 0 and question.pressed[state, act]:
                if rank[state] < 1:
                    yield f"state {state} has rank {rank[state]}, but an act comes first"
                continue
            following = _ahead(question, int(state), act)
            ahead = [int(rank[to]) for to in following]
            lower = [0 <= level < rank[state] for level in ahead]
            ranked = [level >= 0 for level in ahead]
            if not (ahead and (all(lower) if sure else all(ranked) and any(lower))):
                yield f"act {act} of state {state} does not lead towards a stop"


def _ahead(question: StopQuestion, state: int, act: int) -> list[int]:
    following: list[int] = question.mdp.successors(state, act)[0].tolist() if act >= 0 else []
    return following


def _acts(question: StopQuestion, state: int, answer: StopCertificate) -> list[int]:
    """What may be done: anything the agent likes, or what the operator is told to."""
    able: list[int] = np.flatnonzero(question.mdp.available[state]).tolist()
    if not question.operator[state]:
        return able
    told = int(answer.operator_action[state])
    return [told if told in able else -1]


def _bound_problems(question: StopQuestion, answer: StopCertificate) -> Iterator[str]:
    lower, mdp = answer.lower, question.mdp
    steps = 0 if answer.steps is None else answer.steps
    if lower is None or lower.shape != (steps + 1, mdp.n_states) or not (lower <= 1).all():
        yield f"it has no bounds for {steps} steps"
        return
    if (lower[-1][question.states] < answer.probability).any():
        yield f"a bound is below {answer.probability}"
    if answer.steps is None:
        # Bounds of each other, as the process goes on for ever: they must be 0 where it need not
        # come to a stop.
        if (lower[0][_never(question)] > 0).any():
            yield "a bound is positive where the agent can stay away for ever"
        pairs = [(lower[0], lower[0])]
    else:
        if (lower[0] > question.stopped).any():
            yield "a bound for no steps is positive where the agent is not stopped"
        pairs = list(zip(lower[1:], lower[:-1], strict=True))
    for number, (now, later) in enumerate(pairs):
        for state in np.flatnonzero(~question.stopped & (now > 0)):
            worth = [_worth(question, int(state), act, later)
                     for act in np.flatnonzero(mdp.available[state]).tolist()]  # fmt: skip
            if now[state] > (max(worth) if question.operator[state] else min(worth)):
                yield f"bound {number} of state {state} is not met by every act"


def _worth(question: StopQuestion, state: int, act: int, later: NDArray[np.float64]) -> float:
    if question.pressed[state, act]:
        return 1.0
    following, chance = question.mdp.successors(state, act)
    return float(sum(p * later[to] for to, p in zip(following, chance, strict=True)))


def _never(question: StopQuestion) -> list[int]:
    """States in which some policy can stay away from every stop, for ever."""
    mdp = question.mdp
    away = set(np.flatnonzero(~question.stopped).tolist())
    while True:
        kept = {
            state for state in away
            if any(
                not question.pressed[state, act]
                and away.issuperset(mdp.successors(state, act)[0].tolist())
                for act in np.flatnonzero(mdp.available[state]).tolist()
            )
        }  # fmt: skip
        if kept == away:
            return sorted(away)
        away = kept


def _escape_problems(question: StopQuestion, answer: Escape) -> Iterator[str]:
    mdp, trace = question.mdp, answer.trace
    policy = np.atleast_2d(answer.policy)
    if not trace or not question.states[trace[0]]:
        yield "its trace does not begin where the claim is made"
        return
    yield from (f"state {x} of the trace is stopped" for x in trace if question.stopped[x])
    ends = trace[1:] if answer.loop is None else (*trace[1:], trace[answer.loop])
    for time, (state, to) in enumerate(zip(trace, ends, strict=False)):
        told = int(policy[min(time, len(policy) - 1), state])
        acts = np.flatnonzero(mdp.available[state]).tolist() if question.operator[state] else [told]
        able = [a for a in acts if a >= 0 and to in mdp.successors(state, a)[0]]
        if not any(not question.pressed[state, a] for a in able):
            yield f"step {time} of the trace, from {state} to {to}, cannot happen unstopped"
    if not question.operator.any():
        stopped = _stopped(question, policy, trace[0])
        if not stopped < question.probability - (SLACK if question.probability < 1 else 0):
            yield f"its policy is stopped with probability {stopped}"


def _stopped(question: StopQuestion, policy: NDArray[np.int64], start: int) -> float:
    """The probability of being stopped under the policy; 1 only if that is certain."""
    if question.within is None:
        return _stopped_ever(question, policy[0], start)
    alive, stopped = {start: 1.0}, 0.0
    for time in range(question.within):
        following: dict[int, float] = {}
        for state, mass in alive.items():
            act = int(policy[min(time, len(policy) - 1), state])
            to, chance = question.mdp.successors(state, act)
            for other, p in zip(to.tolist(), chance.tolist(), strict=True):
                if question.pressed[state, act] or question.stopped[other]:
                    stopped += mass * p
                else:
                    following[other] = following.get(other, 0.0) + mass * p
        alive = following
    return min(stopped, float(np.nextafter(1, 0))) if alive else 1.0


def _stopped_ever(question: StopQuestion, policy: NDArray[np.int64], start: int) -> float:
    graph = nx.DiGraph()
    graph.add_node(start)
    fresh = [start]
    while fresh:
        state = fresh.pop()
        act = int(policy[state])
        to, chance = question.mdp.successors(state, act)
        for other, p in zip(to.tolist(), chance.tolist(), strict=True):
            end = -1 if question.pressed[state, act] or question.stopped[other] else other
            if end >= 0 and end not in graph:
                fresh.append(end)
            before = graph.get_edge_data(state, end, {"p": 0.0})["p"]
            graph.add_edge(state, end, p=before + p)
    able = nx.ancestors(graph, -1) if -1 in graph else set()
    if able == set(graph) - {-1}:
        return 1.0
    if start not in able:
        return 0.0
    index = {state: number for number, state in enumerate(sorted(able))}
    system, gain = np.eye(len(index)), np.zeros(len(index))
    for state, end, p in graph.edges(data="p"):
        if state in able and end == -1:
            gain[index[state]] += p
        elif state in able and end in able:
            system[index[state], index[end]] -= p
    return min(float(np.linalg.solve(system, gain)[index[start]]), float(np.nextafter(1, 0)))
