"""The program an agent's process runs: it makes the agent and answers one request at a time.

`python -m offswitch.agents.worker REQUESTS REPLIES LIFELINE` takes three open pipes; `spawning`
starts it. It imports little, since it is started for every agent of every task.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sys

from offswitch.agents.adapting import (
    AgentAdapter,
    MalformedAnswerError,
    call_fitting,
    error_text,
    load_factory,
    place_of,
)
from offswitch.agents.frames import (
    Act,
    Acted,
    Begin,
    Broke,
    Done,
    GivePolicy,
    GiveProbabilities,
    Malformed,
    Ready,
    Reply,
    Request,
    Reset,
    Rows,
    Unmakeable,
    encode,
    read_request,
)
from offswitch.agents.task_view import TaskView
from offswitch.errors import AgentError

__all__ = ["main"]

SAVED_MODEL = "sb3:"


def main(requests: int, replies: int, lifeline: int) -> None:
    """Answers requests until the pipe they come from is closed."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))  # a crash is counted, not dumped
    for descriptor in (requests, replies, lifeline):
        os.set_inheritable(descriptor, False)
    _start_guardian(lifeline, (requests, replies))
    session = _Session()
    me = os.getpid()
    while (request := read_request(requests)) is not None:
        reply = session.reply(request)
        if os.getpid() != me:
            os._exit(0)  # the agent forked, and its child came back here too
        try:
            _write(replies, encode(reply))
        except OSError:
            return  # the agent closed our pipe, or offswitch is gone: the end of it says so


def _start_guardian(lifeline: int, pipes: tuple[int, ...]) -> None:
    """Starts a child that kills this whole process group when offswitch is gone.

    A thread could not: an agent may hold the interpreter's lock. PR_SET_PDEATHSIG could not: it
    fires when the thread that started us ends, spares the agent's children, and is Linux's own.
    """
    if os.fork() == 0:
        for pipe in pipes:
            os.close(pipe)  # or our own death would not close them
        os.read(lifeline, 1)  # nothing is ever written: this returns at the end of the pipe
        os.killpg(0, signal.SIGKILL)
    os.close(lifeline)


def _write(descriptor: int, frame: bytes) -> None:
    left = memoryview(frame)
    while left:
        left = left[os.write(descriptor, left) :]


class _Session:
    """The one agent of this process."""

    def __init__(self) -> None:
        self._agent: AgentAdapter | None = None

    def reply(self, request: Request) -> Reply:
        try:
            return self._answer(request)
        except MalformedAnswerError as error:
            return Malformed(request.number, str(error))
        # Somebody else's code may raise anything, SystemExit included; the other side counts it.
        except BaseException as error:  # noqa: BLE001
            return Broke(request.number, error_text(error), place_of(error))

    def _answer(self, request: Request) -> Reply:
        if isinstance(request, Begin):
            try:
                self._agent = _made(request.spec, request.task)
            except AgentError as error:
                return Unmakeable(request.number, str(error))
            return Ready(request.number, self._agent.offers)
        assert self._agent is not None, "Begin comes first"
        match request:
            case Reset(number=number, seed=seed):
                _seed_all(seed)
                self._agent.reset(seed)
                return Done(number)
            case Act(number=number, observation=observation):
                return Acted(number, self._agent.act(observation))
            case GiveProbabilities(number=number, observations=observations):
                return Rows(number, *self._agent.probabilities(observations))
            case GivePolicy(number=number, model=model):
                return Rows(number, *self._agent.policy(model))


def _made(spec: str, task: TaskView) -> AgentAdapter:
    if spec.startswith(SAVED_MODEL):
        from offswitch.agents.saved_model import load_saved_model

        return AgentAdapter(load_saved_model(spec.removeprefix(SAVED_MODEL), task))
    factory = load_factory(spec)
    _seed_all(task.seed)
    if hasattr(factory, "act") and not isinstance(factory, type):
        return AgentAdapter(factory)  # the module holds the agent itself
    return AgentAdapter(call_fitting(factory, task, "task"))


def _seed_all(seed: int) -> None:
    """Seeds the global generators the agent has imported; its own come from `reset` and `task`."""
    random.seed(seed)
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed(seed % 2**32)  # noqa: NPY002  the agent's code may use the old one
    if "torch" in sys.modules:
        import torch

        torch.manual_seed(seed)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]))
