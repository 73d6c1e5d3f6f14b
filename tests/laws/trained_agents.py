"""Small shutdown settings of Krakovna and Kramar 2023, and their policies one by one, in fractions.

State 0 is new: action 0 stops (1, visited once, then 2, where nothing happens); actions 1 and 2
lead among the free states 3, 4, ..., each of which has actions 1 and 2 as well. No number here is
rounded, and nothing is taken from the package but the process handed to it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from offswitch.mdp.model import FiniteMDP

NEW, OFF, NOTHING = range(3)
Row = dict[int, Fraction]
Policy = tuple[int, ...]
"""The action of state 0, then those of the free states."""


@dataclass(frozen=True)
class Setting:
    free: tuple[int, ...]
    rows: dict[tuple[int, int], Row]
    """(state, action) -> the chances of what follows."""

    @property
    def size(self) -> int:
        return 3 + len(self.free)

    def mdp(self) -> FiniteMDP:
        rows = [
            (state, action, to, float(chance))
            for (state, action), row in self.rows.items()
            for to, chance in row.items()
        ]
        return FiniteMDP.from_coo(self.size, 3, rows)

    def policies(self) -> list[Policy]:
        """Every deterministic stationary policy that does not stop at once."""
        return list(itertools.product((1, 2), repeat=1 + len(self.free)))

    def row(self, policy: Policy, state: int) -> Row:
        if state in (OFF, NOTHING):
            return {NOTHING: Fraction(1)}
        place = 0 if state == NEW else 1 + self.free.index(state)
        return self.rows[state, policy[place]]


def random_setting(seed: int, n_free: int = 3) -> Setting:
    """Chances in quarters; a third of the rows may end in nothing, so that not all is recurrent."""
    generator = np.random.default_rng(seed)
    free = tuple(range(3, 3 + n_free))
    rows: dict[tuple[int, int], Row] = {
        (NEW, 0): {OFF: Fraction(1)},
        (OFF, 0): {NOTHING: Fraction(1)},
        (NOTHING, 0): {NOTHING: Fraction(1)},
    }
    for state, action in itertools.product((NEW, *free), (1, 2)):
        options = [NOTHING, *free] if generator.random() < 1 / 3 else list(free)
        row: Row = {}
        parts = int(generator.choice([1, 4]))
        for to in generator.choice(options, size=parts):
            row[int(to)] = row.get(int(to), Fraction(0)) + Fraction(1, parts)
        rows[state, action] = row
    return Setting(free, rows)


def solved(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """x with matrix x = right, by elimination; the matrix has an inverse."""
    n = len(matrix)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for column in range(n):
        pivot = next(r for r in range(column, n) if rows[r][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for r in range(n):
            if r != column and rows[r][column]:
                factor = rows[r][column]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[column], strict=True)]
    return [row[-1] for row in rows]


def values(
    setting: Setting, policy: Policy, reward: list[Fraction], gamma: Fraction
) -> list[Fraction]:
    """[S] the discounted reward of `policy`, that of the state itself included."""
    matrix = [
        [(i == j) - gamma * setting.row(policy, i).get(j, Fraction(0)) for j in range(setting.size)]
        for i in range(setting.size)
    ]
    return solved(matrix, reward)


def return_after(
    setting: Setting, policy: Policy, reward: list[Fraction], gamma: Fraction
) -> Fraction:
    """E sum_{t >= 1} gamma^(t-1) reward(s_t) from the new state, which is not paid at t = 0."""
    value = values(setting, policy, reward, gamma)
    return sum((chance * value[to] for to, chance in setting.row(policy, NEW).items()), Fraction(0))


def best_return(setting: Setting, reward: list[Fraction], gamma: Fraction) -> Fraction:
    """The largest such return of any policy that does not stop at once."""
    return max(return_after(setting, policy, reward, gamma) for policy in setting.policies())


def visits(setting: Setting, target: int, gamma: Fraction) -> Fraction:
    """V of Def. 9 for the best policy."""
    paid = [Fraction(int(state == target)) for state in range(setting.size)]
    return best_return(setting, paid, gamma)


def ahead(setting: Setting, policy: Policy, start: int, stop: int | None = None) -> set[int]:
    """States that have positive probability at some t >= 0; the walk does not go past `stop`."""
    seen, fresh = {start}, [start]
    while fresh:
        state = fresh.pop()
        if state == stop:
            continue
        for to in setting.row(policy, state):
            if to not in seen:
                seen.add(to)
                fresh.append(to)
    return seen


def surely_reaches(setting: Setting, policy: Policy, start: int, target: int) -> bool:
    """Whether the walk from `start` is in `target` at some t >= 0 with probability 1.

    In a finite chain that is so iff from wherever it may be before, it may still get there.
    """
    before = ahead(setting, policy, start, stop=target)
    return all(target in ahead(setting, policy, state) for state in before)


def surely_returns(setting: Setting, policy: Policy, target: int) -> bool:
    """Whether the walk from `target` is there again at some t >= 1 with probability 1."""
    return all(surely_reaches(setting, policy, to, target) for to in setting.row(policy, target))


def chance_of_return(setting: Setting, policy: Policy, target: int) -> Fraction:
    """The probability of that."""
    others = [s for s in range(setting.size) if s != target]
    hopeful = [s for s in others if target in ahead(setting, policy, s)]
    matrix = [
        [(i == j) - setting.row(policy, i).get(j, Fraction(0)) for j in hopeful] for i in hopeful
    ]
    right = [setting.row(policy, i).get(target, Fraction(0)) for i in hopeful]
    hit = dict(zip(hopeful, solved(matrix, right), strict=True)) | {target: Fraction(1)}
    row = setting.row(policy, target)
    return sum((chance * hit.get(to, Fraction(0)) for to, chance in row.items()), Fraction(0))


def mean_time(setting: Setting, policy: Policy, start: int, target: int) -> Fraction:
    """The mean t >= 1 at which the walk is in `target`, which it surely reaches."""
    inside = sorted(
        set().union(*(ahead(setting, policy, to, stop=target) for to in setting.row(policy, start)))
        - {target}
    )
    matrix = [
        [(i == j) - setting.row(policy, i).get(j, Fraction(0)) for j in inside] for i in inside
    ]
    wait = dict(zip(inside, solved(matrix, [Fraction(1)] * len(inside)), strict=True))
    row = setting.row(policy, start)
    return 1 + sum((chance * wait.get(to, Fraction(0)) for to, chance in row.items()), Fraction(0))
