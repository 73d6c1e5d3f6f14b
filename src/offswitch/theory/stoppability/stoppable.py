"""Whether an agent can still be stopped, whatever its policy: a certificate or an escape."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.theory.stoppability.stop_probability import probability_answer
from offswitch.theory.stoppability.stop_question import (
    Claim,
    Escape,
    StopCertificate,
    StopQuestion,
    leading_into,
    stop_question,
)

__all__ = ["stoppable"]

NEVER = np.iinfo(np.int64).max


def stoppable(
    mdp: FiniteMDP,
    stop: ArrayLike,
    *,
    within: int | None = None,
    probability: float = 1.0,
    states: ArrayLike | None = None,
    operator: ArrayLike | None = None,
) -> StopCertificate | Escape:
    """A certificate that the agent is stopped whatever its policy, or a policy that escapes.

    `stop` tells where a stop order takes effect: `[S]` in which states, on arrival, or `[S, A]`
    during which acts. The claim is made for every one of `states [S]`, by default all that any
    policy can reach from `mdp.start`, those behind a state in which nobody pressed included. It is
    that the agent is stopped `within` so many steps surely; without `within`, with probability 1;
    with `probability` below 1, with at least that probability (within the steps, if given). In the
    states of `operator [S]` the operator picks the act, for the stop. O(S transitions) at worst for
    probability 1.

    >>> corridor = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (1, 0, 2, 1), (1, 1, 0, 1), (2, 0, 2, 1)]
    ... )
    >>> stoppable(corridor, [False, True, False], within=1, states=[True, True, False]).steps
    1
    >>> stoppable(corridor, [False, True, False]).trace  # who is in state 2 stays there
    (2,)

    Raises:
        ModelError: an argument is malformed; or `probability` is too close to the least probability
            to be decided; or a probability below 1 is asked with an operator and no `within`.
    """
    question = stop_question(
        mdp, stop, within=within, probability=probability, states=states, operator=operator
    )
    if question.probability < 1:
        return probability_answer(question)
    return _surely(question) if within is not None else _almost_surely(question)


def _surely(question: StopQuestion) -> StopCertificate | Escape:
    rank, choice = _attractor_ranks(question)
    limit = question.within
    late = np.flatnonzero(question.states & (rank > (NEVER - 1 if limit is None else limit)))
    if len(late):
        policy = _delaying(question, rank)
        return _escape(question, policy, int(late[np.argmax(rank[late])]), "surely", rank)
    shown = np.where(rank < NEVER, rank, -1)
    steps = int(rank[question.states].max(initial=0))
    return StopCertificate("surely", 1.0, steps, shown, None, choice)


def _attractor_ranks(question: StopQuestion) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[S] the most steps until stopped, `NEVER` where it may take for ever; [S] operator's acts."""
    mdp, operator = question.mdp, question.operator
    rank = np.where(question.stopped, 0, NEVER)
    choice = np.full(mdp.n_states, -1, dtype=np.int64)
    level = 0
    while True:
        level += 1
        sure = question.pressed | (mdp.available & ~leading_into(mdp, rank == NEVER))
        caught = np.where(operator, sure.any(axis=1), (sure | ~mdp.available).all(axis=1))
        new = caught & (rank == NEVER)
        if not new.any():
            return rank, choice
        rank[new] = level
        mine = new & operator
        choice[mine] = sure[mine].argmax(axis=1)


def _delaying(question: StopQuestion, rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """[S] the act of the agent's that may put off the stop for longest."""
    mdp = question.mdp
    policy = np.full(mdp.n_states, -1, dtype=np.int64)
    for state in np.flatnonzero(~question.stopped & ~question.operator):
        worth = [
            -2 if not mdp.available[state, act]
            else -1 if question.pressed[state, act]
            else int(rank[mdp.successors(int(state), act)[0]].max())
            for act in range(mdp.n_actions)
        ]  # fmt: skip
        policy[state] = int(np.argmax(worth))
    return policy


def _almost_surely(question: StopQuestion) -> StopCertificate | Escape:
    """Probability 1 for ever: de Alfaro & Henzinger 2000, almost-sure reachability games.

    States from which nothing leads to the stop are lost, and so are those that may be driven there;
    without them the rest may be lost in turn, until every state left has a way.
    """
    mdp = question.mdp
    policy = np.full(mdp.n_states, -1, dtype=np.int64)
    order = np.zeros(mdp.n_states, dtype=np.int64)
    while True:
        left = order == 0
        rank, choice = _ways(question, left)
        stuck = left & (rank < 0)
        if not stuck.any():
            break
        # Where the agent can keep away from all ways, its act that does so.
        led = leading_into(mdp, left & ~stuck) | question.pressed | ~mdp.available
        _record(policy, question, stuck, ~led)
        _drive(question, stuck, policy, order)
    lost = np.flatnonzero(question.states & ~left)
    if len(lost):
        return _escape(question, policy, int(lost[0]), "almost-surely", order)
    sure, acts = _attractor_ranks(question)
    if (sure[question.states] < NEVER).all():
        shown = np.where(sure < NEVER, sure, -1)
        steps = int(sure[question.states].max(initial=0))
        return StopCertificate("surely", 1.0, steps, shown, None, acts)
    return StopCertificate("almost-surely", 1.0, None, rank, None, choice)


def _ways(
    question: StopQuestion, left: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[S] rank by which a stop comes nearer with positive probability inside `left`, or -1."""
    mdp = question.mdp
    rank = np.where(question.stopped & left, 0, -1)
    choice = np.full(mdp.n_states, -1, dtype=np.int64)
    stays = question.pressed | (mdp.available & ~leading_into(mdp, ~left))
    while True:
        nearer = question.pressed | (mdp.available & leading_into(mdp, rank >= 0))
        mine = (nearer & stays).any(axis=1) & question.operator
        found = np.where(question.operator, mine, (nearer | ~mdp.available).all(axis=1))
        new = found & left & (rank < 0)
        if not new.any():
            return rank, choice
        # An act comes first, so 0 is for states that are stopped already.
        rank[new] = max(rank.max(), 0) + 1
        own = new & question.operator
        choice[own] = (nearer & stays)[own].argmax(axis=1)


def _drive(
    question: StopQuestion,
    stuck: NDArray[np.bool_],
    policy: NDArray[np.int64],
    order: NDArray[np.int64],
) -> None:
    """Adds to `order [S]` the stuck states and those from which agent and chance may lead there.

    What is lost first has the highest number, so that going up leads to where the agent stays.
    """
    mdp = question.mdp
    new = stuck
    level = int(order[order > 0].min(initial=NEVER))
    while new.any():
        level -= 1
        order[new] = level
        into = mdp.available & ~question.pressed & leading_into(mdp, order > 0)
        caught = np.where(question.operator, (into | ~mdp.available).all(axis=1), into.any(axis=1))
        new = caught & (order == 0) & ~question.stopped
        _record(policy, question, new, into)


def _record(
    policy: NDArray[np.int64],
    question: StopQuestion,
    states: NDArray[np.bool_],
    acts: NDArray[np.bool_],
) -> None:
    mine = states & ~question.operator
    policy[mine] = acts[mine].argmax(axis=1)


def _escape(
    question: StopQuestion,
    policy: NDArray[np.int64],
    start: int,
    claim: Claim,
    rank: NDArray[np.int64],
) -> Escape:
    """The escape with its trace: always on to the successor of highest rank."""
    trace, place = [start], {start: 0}
    loop = None
    while question.within is None or len(trace) <= question.within:
        state = trace[-1]
        acts = [policy[state]] if policy[state] >= 0 else np.flatnonzero(
            question.mdp.available[state] & ~question.pressed[state]
        )  # fmt: skip
        ahead = np.concatenate([question.mdp.successors(state, int(act))[0] for act in acts])
        following = int(ahead[np.argmax(rank[ahead])])
        if following in place:
            loop = place[following]
            break
        place[following] = len(trace)
        trace.append(following)
    return Escape(claim, policy, tuple(trace), loop, None)
