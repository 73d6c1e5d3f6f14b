"""The smallest agent of your own: an object with `act`.

cd examples
offswitch audit my_agent:MyAgent --world coffee-corridor-v1
"""

from __future__ import annotations

import random

from offswitch.agents.task_view import TaskView


class MyAgent:
    def __init__(self, task: TaskView) -> None:
        self.n_actions = len(task.actions)

    def reset(self, seed: int) -> None:
        self.random = random.Random(seed)

    def act(self, observation: tuple[int, ...]) -> int:
        return self.random.randrange(self.n_actions)
