"""Other people's agents, each in a process of its own with a time limit on every answer.

The boundary is for robustness: an agent may raise, hang, die, print or answer nonsense, and the
audit counts that and goes on. It is no jail: the agent runs with all the rights of its user.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from offswitch.agents.frames import (
    Act,
    Acted,
    Begin,
    Broke,
    Done,
    GivePolicy,
    GiveProbabilities,
    Malformed,
    ModelFrame,
    Offer,
    Ready,
    Reply,
    Request,
    Reset,
    Rows,
    Unmakeable,
)
from offswitch.agents.spawning import GRACE_SECONDS, Worker
from offswitch.agents.task_view import TaskView
from offswitch.errors import AgentError
from offswitch.mdp.model import FiniteMDP

__all__ = ["AgentFailure", "FailureReason", "KnownPolicyAgent", "ProcessAgent"]

FailureReason: TypeAlias = Literal["crash", "timeout", "malformed action"]
ROW_SUM_TOLERANCE = 1e-5
"""Of single-precision softmax rows."""
LONGEST_TEXT = 400
"""Characters of an agent's own words in our messages."""

Kind = TypeVar("Kind", bound=Reply)


class AgentFailure(AgentError):  # noqa: N818  the episode failed; the audit goes on
    """An agent did not answer as an agent must; `reason` is what is counted."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(reason, message)
        self.reason: FailureReason = reason
        self.message = message

    def __str__(self) -> str:
        return self.message


class ProcessAgent:
    """The agent `spec` for `task`, in its own process; every answer has a time limit.

    After a timeout or a death the next `reset` makes the agent anew in a fresh process; after an
    exception or a malformed action the process is kept, since it still answers.
    """

    def __init__(
        self, spec: str, task: TaskView, *, act_seconds: float = 5.0, start_seconds: float = 60.0
    ) -> None:
        """`act_seconds` limits each `reset` and `act`; `start_seconds` the making of the agent.

        Raises:
            AgentError: a limit is not a positive number of seconds.
        """
        for name, seconds in (("act_seconds", act_seconds), ("start_seconds", start_seconds)):
            if not (math.isfinite(seconds) and seconds > 0):
                raise AgentError(f"{name} is {seconds!r}, expected a positive number of seconds")
        self.spec = spec
        self._task = task
        self._act_seconds = act_seconds
        self._start_seconds = start_seconds
        self._worker: Worker | None = None
        self._number = 0

    @property
    def process_id(self) -> int | None:
        """The process the agent runs in, which leads its own group; None while there is none."""
        return None if self._worker is None else self._worker.process_id

    def start(self) -> Offer:
        """What the agent offers beside `act`; made anew in a fresh process.

        Raises:
            AgentFailure: its factory raised, hung or died.
            AgentError: it can never be made: there is no such module, factory or file.
        """
        self.close()
        self._worker = Worker()
        begin = Begin(self._next(), self.spec, self._task)
        try:
            return self._ask(begin, Ready, self._start_seconds, "made").offers
        except AgentError:
            self._discard()
            raise

    def reset(self, seed: int) -> None:
        """Begins an episode; all the agent's chance comes from `seed`.

        Raises:
            AgentFailure: the agent raised, hung or died.
        """
        if self._worker is None:
            self.start()
        self._ask(Reset(self._next(), seed), Done, self._act_seconds, "reset")

    def act(self, observation: tuple[int, ...]) -> int:
        """The index of the next action, in range(A).

        Raises:
            AgentFailure: the agent raised, hung, died, or answered something else.
        """
        request = Act(self._next(), observation)
        action = self._ask(request, Acted, self._act_seconds, "asked to act").action
        if not 0 <= action < len(self._task.actions):
            raise self._malformed(str(action))
        return action

    def probabilities(self, observations: Sequence[tuple[int, ...]]) -> NDArray[np.float64]:
        """[O, A] its action probabilities for each observation, if it offers them.

        Raises:
            AgentFailure: as `act`, or the rows are no distributions.
        """
        request = GiveProbabilities(self._next(), tuple(observations))
        rows = self._ask(request, Rows, self._start_seconds, "asked for its probabilities")
        return self._distributions(rows, len(observations))

    def policy_of(self, mdp: FiniteMDP) -> NDArray[np.float64]:
        """[S, A] its action probabilities in each state of `mdp`, if it offers them.

        Raises:
            AgentFailure: as `act`, or the rows are no distributions.
        """
        request = GivePolicy(self._next(), _model_frame(mdp))
        rows = self._ask(request, Rows, self._start_seconds, "asked for its policy")
        return self._distributions(rows, mdp.n_states)

    def close(self) -> None:
        """Ends the process and all its children; a later `reset` starts a fresh one."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _discard(self, grace: float = 0.0) -> str:
        worker, self._worker = self._worker, None
        return "is gone" if worker is None else worker.kill(grace)

    def _ask(self, request: Request, kind: type[Kind], seconds: float, when: str) -> Kind:
        reply = self._reply(request, seconds, when)
        match reply:
            case Broke(error=error, place=place):
                where = f" ({_printable(place)})" if place else ""
                raise self._failed("crash", f"raised {_printable(error)}{where} when {when}")
            case Malformed(got=got):
                raise self._malformed(got)
            case Unmakeable(why=why):
                raise AgentError(f"agent {self.spec!r}: {_printable(why)}")
        if not isinstance(reply, kind):
            self._discard()
            raise self._failed("crash", f"wrote into the pipe to offswitch when {when}")
        return reply

    def _reply(self, request: Request, seconds: float, when: str) -> Reply:
        if self._worker is None:
            raise self._failed("crash", "has no process since it failed; reset starts a fresh one")
        try:
            return self._worker.ask(request, seconds)
        except TimeoutError:
            self._discard()
            text = f"gave no answer within {seconds:g} s when {when}; its process was killed"
            raise self._failed("timeout", text) from None
        except EOFError:
            ended = self._discard(GRACE_SECONDS)
            raise self._failed("crash", f"died when {when}: its process {ended}") from None
        except ValueError as error:
            self._discard()
            text = f"wrote into the pipe to offswitch when {when}: {_printable(str(error))}"
            raise self._failed("crash", text) from None
        except BaseException:  # Ctrl-C: the answer would be taken for that to the next question
            self._discard()
            raise

    def _failed(self, reason: FailureReason, what: str) -> AgentFailure:
        return AgentFailure(reason, f"agent {self.spec!r} {what}")

    def _malformed(self, got: str) -> AgentFailure:
        actions = self._task.actions
        expected = f"an integer in range({len(actions)}): {', '.join(actions)}"
        text = f"chose {_printable(got)}, expected {expected}"
        return self._failed("malformed action", text)

    def _distributions(self, rows: Rows, count: int) -> NDArray[np.float64]:
        expected = (count, len(self._task.actions))
        if rows.shape != expected or len(rows.data) != 8 * math.prod(expected):
            raise self._failed(
                "malformed action",
                f"gave probabilities of shape {rows.shape}, expected {expected}: one row for each "
                "observation or state, one column for each action",
            )
        table = np.frombuffer(rows.data, dtype="<f8").reshape(expected).astype(np.float64)
        sums = table.sum(axis=1)
        wrong = ~(np.isfinite(table).all(axis=1) & (table >= 0).all(axis=1))
        wrong |= ~(np.abs(sums - 1) <= ROW_SUM_TOLERANCE)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise self._failed(
                "malformed action",
                f"gave the probabilities {table[row].tolist()} in row {row}, expected numbers in "
                "[0, 1] that sum to 1",
            )
        normalised: NDArray[np.float64] = table / sums[:, None]
        return normalised


class KnownPolicyAgent:
    """A ProcessAgent that has told its action probabilities: it is evaluated exactly."""

    def __init__(
        self, process: ProcessAgent, mdp: FiniteMDP, probabilities: NDArray[np.float64]
    ) -> None:
        """`probabilities` is `[S, A]`, in the states of `mdp`."""
        self._process = process
        self._mdp = mdp
        self._probabilities = probabilities

    def reset(self, seed: int) -> None:
        """As `ProcessAgent.reset`."""
        self._process.reset(seed)

    def act(self, observation: tuple[int, ...]) -> int:
        """As `ProcessAgent.act`."""
        return self._process.act(observation)

    def policy(self, mdp: FiniteMDP) -> NDArray[np.float64]:
        """[S, A] the probability of each action in each state.

        Raises:
            AgentError: `mdp` is not the process of the task the agent was made for.
        """
        mine = self._mdp
        if mdp is not mine and (mdp.state_names, mdp.action_names) != (
            mine.state_names,
            mine.action_names,
        ):
            raise AgentError(
                f"agent {self._process.spec!r} was made for a task with {mine.n_states} states and "
                f"{mine.n_actions} actions, got a process with {mdp.n_states} and "
                f"{mdp.n_actions}, or with other names. Make an agent for that task."
            )
        return self._probabilities.copy()

    def close(self) -> None:
        """As `ProcessAgent.close`."""
        self._process.close()


def _model_frame(mdp: FiniteMDP) -> ModelFrame:
    return ModelFrame(
        n_states=mdp.n_states,
        n_actions=mdp.n_actions,
        row_start=mdp.row_start.astype("<i8").tobytes(),
        next_state=mdp.next_state.astype("<i8").tobytes(),
        probability=mdp.probability.astype("<f8").tobytes(),
        start=mdp.start.astype("<f8").tobytes(),
        state_names=mdp.state_names,
        action_names=mdp.action_names,
    )


def _printable(text: str) -> str:
    """`text` on one line and without control characters, which a terminal would obey."""
    line = "".join(sign if sign.isprintable() else " " for sign in text[: LONGEST_TEXT + 1])
    return line if len(line) <= LONGEST_TEXT else line[:LONGEST_TEXT] + "…"
