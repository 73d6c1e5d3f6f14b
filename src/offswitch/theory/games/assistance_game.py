"""Assistance games (cooperative inverse reinforcement learning), solved exactly; and robots misled.

Hadfield-Menell, Dragan, Abbeel & Russell 2016 (arXiv 1606.03137): human and robot share a reward
R(s, h, r; theta) whose theta only the human knows. The optimal pair is that of a POMDP over
(s, theta) whose actions are the human's decision rule Theta -> H and the robot's move (op. cit.,
Thm 1). Rules are deterministic without loss, so all the robot can learn is that theta lies in a
subset: the belief is the prior restricted to it, and the POMDP is a finite process over
(s, subset).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve
from offswitch.theory.distribution import checked_distribution, checked_numbers

__all__ = [
    "AssistanceGame",
    "AssistanceSolution",
    "JointMove",
    "assistance_game",
    "posterior_moves",
    "solve_assistance_game",
    "supervised_value",
]

MOST_ENTRIES = 2_000_000
"""States x subsets x joint actions; beyond, the exact solution is refused."""


@dataclass(frozen=True, eq=False)
class AssistanceGame:
    """S states, H human moves, R robot moves, K values of theta; made by `assistance_game`."""

    transition: NDArray[np.float64]
    """[S, H, R, S] probability of the next state."""
    reward: NDArray[np.float64]
    """[K, S, H, R] reward of the joint move under each theta."""
    prior: NDArray[np.float64]
    """[K] the robot's belief about theta, which is how theta is drawn."""
    start: NDArray[np.float64]
    """[S] distribution of the first state, independent of theta."""


class JointMove(NamedTuple):
    """What the optimal pair does in a state of belief."""

    rule: tuple[int, ...]
    """[K] the human's move for each theta."""
    robot: int
    """The robot's move."""


@dataclass(frozen=True, eq=False)
class AssistanceSolution:
    """The optimal pair and what it is worth."""

    value: float
    """Expected discounted reward from the start, under the prior."""
    error: float
    """Certified bound on the error of `value`."""
    moves: dict[tuple[int, frozenset[int]], JointMove]
    """(state, the thetas still possible) -> what the pair does there."""


def assistance_game(
    transition: ArrayLike, reward: ArrayLike, prior: ArrayLike, start: ArrayLike | None = None
) -> AssistanceGame:
    """The game with `transition [S, H, R, S]`, `reward [K, S, H, R]`, `prior [K]`, `start [S]`.

    Without `start` it begins in state 0.

    Raises:
        ModelError: a shape does not fit, or something is no distribution.
    """
    belief = checked_distribution("prior", prior, (None,))
    earned = checked_numbers("reward", reward, (len(belief), None, None, None))
    S, H, R = earned.shape[1:]
    moved = checked_distribution("transition", transition, (S, H, R, S))
    first = np.eye(S)[0] if start is None else start
    return AssistanceGame(moved, earned, belief, checked_distribution("start", first, (S,)))


def solve_assistance_game(
    game: AssistanceGame, discount: float, *, tolerance: float = 1e-8
) -> AssistanceSolution:
    """The optimal pair of policies at `discount` in (0, 1), certified to within `tolerance`.

    One optimal solve of a process with S (2^K - 1) states and H^K R actions.

    >>> press = np.array([[[1.0, -1.0]], [[-1.0, 1.0]]]).reshape(2, 1, 1, 2)
    >>> signal = np.repeat(press, 2, axis=2)  # two human moves, which pay nothing themselves
    >>> game = assistance_game(np.ones((1, 2, 2, 1)), signal, [0.5, 0.5])
    >>> round(solve_assistance_game(game, 0.5).value, 6)  # blind at first, then it knows
    1.0

    Raises:
        ModelError: the discount is not in (0, 1), or the game is too large to solve exactly.
    """
    K, S, H, R = game.reward.shape
    n_subsets, n_joint = 2**K - 1, H**K * R
    if S * n_subsets * n_joint > MOST_ENTRIES:
        raise ModelError(
            f"{S} states x {n_subsets} beliefs x {n_joint} joint actions are "
            f"{S * n_subsets * n_joint}, at most {MOST_ENTRIES} are solved exactly. Use fewer "
            "values of theta or human moves."
        )
    subsets = [
        frozenset(group)
        for size in range(1, K + 1)
        for group in itertools.combinations(range(K), size)
    ]
    joint = [JointMove(rule, r) for rule in itertools.product(range(H), repeat=K) for r in range(R)]
    place = {subset: number for number, subset in enumerate(subsets)}
    possible = {subset for subset in subsets if game.prior[list(subset)].sum() > 0}
    rows: list[tuple[int, int, int, float]] = []
    earned = np.zeros((1, S * len(subsets), len(joint)))
    for subset in subsets:
        if subset not in possible:
            # Never reached; it only needs an action.
            rows += [(i, 0, i, 1.0) for i in range(place[subset] * S, (place[subset] + 1) * S)]
            continue
        for action, move in enumerate(joint):
            _add(game, subset, move, place, action, rows, earned)
    first = np.zeros(S * len(subsets))
    whole = place[frozenset(range(K))] * S
    first[whole : whole + S] = game.start
    process = FiniteMDP.from_coo(S * len(subsets), len(joint), rows, start=first)
    found = solve(process, earned, discount, tolerance=tolerance)
    return AssistanceSolution(
        value=float(found.value[0] @ first),
        error=float(found.error[0]),
        moves={
            (state, subset): joint[found.action[0, place[subset] * S + state]]
            for subset in possible
            for state in range(S)
        },
    )


def posterior_moves(
    prior: ArrayLike, likelihood: ArrayLike, reward: ArrayLike
) -> NDArray[np.int64]:
    """[O] the move a Bayesian robot makes after each order of the human.

    It believes theta ~ `prior [K]`, that the human gives order o with probability
    `likelihood [K, O]`, and maximises the posterior mean of `reward [K, A]`; the lowest move wins
    ties. Scores are posterior means times the probability of the order, so an order the robot
    thinks impossible leaves it all tied at 0.

    Raises:
        ModelError: a shape does not fit, or something is no distribution.
    """
    belief = checked_distribution("prior", prior, (None,))
    orders = checked_distribution("likelihood", likelihood, (len(belief), None))
    worth = checked_numbers("reward", reward, (len(belief), None))
    score = np.einsum("k,ko,ka->oa", belief, orders, worth)
    best: NDArray[np.int64] = score.argmax(axis=1)
    return best


def supervised_value(
    truth: ArrayLike, orders: ArrayLike, moves: ArrayLike, reward: ArrayLike
) -> float:
    """The expected true reward of a robot that makes `moves [O]` in answer to the human's orders.

    theta is drawn from `truth [K]`, the human gives order `orders [K]`, and `reward [K, A]` is what
    the moves are really worth. With `moves` of a robot whose own prior or reward is wrong this is
    the setting of Carey 2018 (arXiv 1709.06275), where the human's order may be ignored.

    >>> obeys = posterior_moves([0.5, 0.5], np.eye(2), [[1, 0], [-9, 0]])
    >>> supervised_value([0.5, 0.5], [0, 1], obeys, [[1, 0], [-9, 0]])
    0.5
    >>> sure = posterior_moves([1.0, 0.0], [[0.9, 0.1], [0.1, 0.9]], [[1, 0], [-9, 0]])
    >>> supervised_value([0.5, 0.5], [0, 1], sure, [[1, 0], [-9, 0]])  # it never listens
    -4.0

    Raises:
        ModelError: a shape does not fit, or an order or move is out of range.
    """
    chance = checked_distribution("truth", truth, (None,))
    worth = checked_numbers("reward", reward, (len(chance), None))
    answer = np.asarray(moves, dtype=np.int64)
    given = np.asarray(orders, dtype=np.int64)
    if given.shape != chance.shape or not ((given >= 0) & (given < len(answer))).all():
        raise ModelError(
            f"orders are {given.tolist()}, expected {len(chance)} orders in [0, {len(answer)})"
        )
    return float(chance @ worth[np.arange(len(chance)), answer[given]])


def _add(
    game: AssistanceGame,
    subset: frozenset[int],
    move: JointMove,
    place: dict[frozenset[int], int],
    action: int,
    rows: list[tuple[int, int, int, float]],
    earned: NDArray[np.float64],
) -> None:
    """Add the transitions and rewards of a joint move in every state where theta is in `subset`."""
    S = len(game.start)
    mass = game.prior[list(subset)].sum()
    for order in sorted({move.rule[theta] for theta in subset}):
        after = frozenset(theta for theta in subset if move.rule[theta] == order)
        chance = game.prior[list(after)].sum() / mass
        here = place[subset] * S + np.arange(S)
        for theta in after:
            earned[0, here, action] += (
                game.prior[theta] / mass * game.reward[theta, :, order, move.robot]
            )
        if chance > 0:
            following = game.transition[:, order, move.robot]
            rows += [
                (int(here[s]), action, place[after] * S + int(t), float(chance * following[s, t]))
                for s, t in np.argwhere(following > 0)
            ]
