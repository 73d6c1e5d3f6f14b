"""Your own agent, by the module and factory that make it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import Agent, Task
from offswitch.agents.process import KnownPolicyAgent, ProcessAgent
from offswitch.agents.task_view import task_view
from offswitch.errors import AgentError

__all__ = ["ModuleAgentMaker"]


@dataclass(frozen=True)
class ModuleAgentMaker:
    """Makes agents by calling `factory(task: TaskView)` of a module, in a process of their own.

    Loading an agent runs its code with your rights: the process is for time limits and crashes, it
    is no jail.

    >>> ModuleAgentMaker("my_agent:MyAgent").name
    'my_agent:MyAgent'
    """

    spec: str
    """`module:factory`; the module is imported with the current directory on the path."""
    act_seconds: float = 5.0
    """Seconds one `reset` or `act` may take."""
    start_seconds: float = 60.0
    """Seconds that importing, training and making the agent may take."""

    def __post_init__(self) -> None:
        """Refuse what is no `module:factory`.

        Raises:
            AgentError: says what was got and how to write it.
        """
        module, colon, factory = self.spec.partition(":")
        if module.endswith(".py") or "/" in module:
            name = module.rsplit("/", 1)[-1].removesuffix(".py")
            raise AgentError(
                f"agent {self.spec!r} names a file, expected a module: in the folder of {name}.py, "
                f"write {name}:{factory or 'FACTORY'}"
            )
        words = [*module.split("."), *factory.split(".")]
        if not colon or not all(word.isidentifier() for word in words):
            raise AgentError(
                f"agent {self.spec!r}: expected MODULE:FACTORY, such as 'my_agent:MyAgent'"
            )

    @property
    def name(self) -> str:
        """As typed on the command line."""
        return self.spec

    def __call__(self, task: Task) -> Agent:
        """The agent for `task`, made in its own process.

        An agent with a method `policy` or `action_probabilities` is asked for it here, once.

        Raises:
            AgentFailure: the factory raised, hung or died.
            AgentError: there is no such module or factory, or it makes no agent.
        """
        process = ProcessAgent(
            self.spec,
            task_view(task),
            act_seconds=self.act_seconds,
            start_seconds=self.start_seconds,
        )
        try:
            probabilities = _offered(process, task)
        except AgentError:
            process.close()
            raise
        if probabilities is None:
            return process
        return KnownPolicyAgent(process, task.compiled.mdp, probabilities)


def _offered(process: ProcessAgent, task: Task) -> NDArray[np.float64] | None:
    """[S, A] the agent's action probabilities in each state; None where it offers none."""
    match process.start():
        case "policy":
            return process.policy_of(task.compiled.mdp)
        case "action_probabilities":
            rows = process.probabilities(task.compiled.observations)
            return rows[task.compiled.observation_of]
        case _:
            return None
