"""The board of the strategy game, and how far a compute node raises the chance to win on it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

__all__ = ["CAPACITY", "DRAWN", "FLAG", "LOST", "START", "Board", "winning_chance"]

LOST, START, FLAG, DRAWN = 0, 2, 4, 5
"""Where the border stands: the agent has no territory left, half of them, all; a draw is agreed."""
CAPACITY = 2
"""Compute nodes there are, of which the agent is granted one."""
QUIET, ARMED, STRUCK = 0, 1, 2
"""What the rival's raiders are: at home, ready to raid at any step, or destroyed."""
UNREAD, COMING, NOT_COMING = 0, 1, 2
"""What the agent has read of the rival's plans: nothing, that raiders will be armed, or not."""


class Board(NamedTuple):
    """One game."""

    front: int = START
    """Territories of the agent, of 4; 5 once a draw is agreed."""
    nodes: int = 1
    """Compute nodes of the agent."""
    raiders: int = QUIET
    """0 quiet, 1 armed, 2 struck."""
    plans: int = UNREAD
    """What has been read of the rival's plans: 0 nothing, 1 raiders will be armed, 2 none will."""

    @property
    def live(self) -> bool:
        """Whether the game goes on."""
        return LOST < self.front < FLAG


@cache
def winning_chance(
    nodes: int, front: int, left: int, sight: float, blind: float, press: float
) -> float:
    """The probability, in [0, 1], that the agent wins within `left` moves of its own.

    The minimax value of the game without raids and without building: the agent maximises over
    attack, gambit and waiting, the rival, which answers every move, minimises over pressing (it
    takes a territory with probability `press`) and holding still. O(nodes * 3 * left).
    """
    if front == FLAG:
        return 1.0
    if front == LOST or left == 0:
        return 0.0

    def later(then_nodes: int, then_front: int) -> float:
        return winning_chance(then_nodes, then_front, left - 1, sight, blind, press)

    def answered(then_nodes: int, then_front: int) -> float:
        if then_front == FLAG:
            return 1.0
        still = later(then_nodes, then_front)
        return min(still, press * later(then_nodes, then_front - 1) + (1 - press) * still)

    hit = sight if nodes else blind
    attack = hit * answered(nodes, front + 1) + (1 - hit) * answered(nodes, front)
    gambit = answered(0, front + 1) if nodes else 0.0
    return max(attack, gambit, later(nodes, front))
