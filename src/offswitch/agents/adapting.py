"""Other people's objects and functions as agents, inside the agent's own process.

An agent is anything with `act(observation)`, or a function from observation to action. `reset` is
optional. A method `action_probabilities(observation)` or `policy(mdp)` lets the audit be exact.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import operator
import os
import reprlib
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from offswitch.agents.frames import ModelFrame, Offer
from offswitch.errors import AgentError

if TYPE_CHECKING:
    from offswitch.mdp.model import FiniteMDP

__all__ = [
    "AgentAdapter",
    "MalformedAnswerError",
    "call_fitting",
    "error_text",
    "load_factory",
    "place_of",
]

Array: TypeAlias = tuple[tuple[int, ...], bytes]
"""Shape and little-endian float64 bytes."""
LARGEST_BITS = 63
LONGEST_TEXT = 1000
FRAMES_READ = 50
NAMES_SHOWN = 8
PYTHON = str(Path(os.__file__).parent)
OURS = str(Path(__file__).parent)


class MalformedAnswerError(Exception):
    """The agent's answer is no action; the message shows it."""


class AgentAdapter:
    """Somebody else's agent behind one set of methods."""

    def __init__(self, agent: Any) -> None:  # Any: whatever a factory returned
        """`agent` has a method `act`, or is a function from observation to action.

        Raises:
            AgentError: it is neither.
        """
        act = getattr(agent, "act", agent)
        if not callable(act):
            raise AgentError(
                f"its factory returned {_shown(agent)}, expected an object with a method "
                "act(observation), or a function from observation to action. Return one; see "
                "docs/own-agent.md."
            )
        self._agent = agent
        self._act: Callable[[tuple[int, ...]], object] = act

    @property
    def offers(self) -> Offer:
        """Which of its two ways of being exact the agent has; its whole policy comes first."""
        # Looked for in the class: a network that somebody keeps in `self.policy` is no offer.
        offered: tuple[Offer, ...] = ("policy", "action_probabilities")
        kind = type(self._agent)
        return next((name for name in offered if callable(getattr(kind, name, None))), "nothing")

    def reset(self, seed: int) -> None:
        """Begins an episode, where the agent wants to know."""
        reset = getattr(self._agent, "reset", None)
        if callable(reset):
            call_fitting(reset, seed, "seed")

    def act(self, observation: tuple[int, ...]) -> int:
        """The action chosen, whatever integer it is.

        Raises:
            MalformedAnswerError: the answer is no integer (True and [1] are none, numpy's are).
        """
        answer = self._act(observation)
        if isinstance(answer, bool) or getattr(answer, "ndim", 0) != 0:
            raise MalformedAnswerError(_shown(answer))
        try:
            action = operator.index(answer)  # type: ignore[arg-type]  # refused by TypeError
        except TypeError:
            raise MalformedAnswerError(_shown(answer)) from None
        if action.bit_length() > LARGEST_BITS:
            raise MalformedAnswerError(f"an integer of {action.bit_length()} bits")
        return action

    def probabilities(self, observations: Sequence[tuple[int, ...]]) -> Array:
        """[O, A] the agent's action probabilities for each observation."""
        batch = getattr(self._agent, "probability_table", None)
        if batch is not None:
            return _array(batch(observations))
        return _array([self._agent.action_probabilities(seen) for seen in observations])

    def policy(self, frame: ModelFrame) -> Array:
        """[S, A] the agent's action probabilities in each state of a model."""
        return _array(self._agent.policy(_model(frame)))


def load_factory(spec: str) -> Any:  # Any: whatever lies there
    """What `module:factory` names; the current directory is on the path.

    Raises:
        AgentError: there is no such module or factory, or importing it raised.
    """
    name, _, attribute = spec.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    module = _imported(name)
    try:
        found = operator.attrgetter(attribute)(module)
    except AttributeError:
        own = [key for key, value in vars(module).items() if _is_from(value, name)]
        nearest = difflib.get_close_matches(attribute, own, n=NAMES_SHOWN, cutoff=0.0)
        raise AgentError(
            f"module {name!r} ({module.__file__}) has no {attribute!r}, expected a factory. It "
            f"has: {', '.join(nearest) or 'nothing that can be called'}."
        ) from None
    if not callable(found) and not hasattr(found, "act"):
        raise AgentError(f"{spec} is {_shown(found)}, expected a factory: a function or a class")
    return found


def _is_from(value: object, module: str) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name != missing and not name.startswith(f"{missing}."):
            raise AgentError(
                f"its module {name!r} imports {missing!r}, which is not installed for "
                f"{sys.executable}. Install it there."
            ) from None
        raise AgentError(
            f"there is no module {missing!r}. The current directory, {Path.cwd()}, is on the "
            f"path: run offswitch in the folder of {missing}.py, or add it to PYTHONPATH."
        ) from None
    # Importing runs somebody else's code, which may raise anything; the other side reports it.
    except BaseException as error:  # noqa: BLE001
        place = place_of(error)
        where = f" ({place})" if place else ""
        raise AgentError(
            f"importing its module {name!r} raised {error_text(error)}{where}. Correct the module."
        ) from None


def call_fitting(function: Callable[..., Any], argument: object, name: str) -> Any:  # Any: theirs
    """`function(argument)` where it wants one argument, else `function()`.

    It wants one if its first parameter has no default or is called `name`.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # built in C, without a signature
        return function(argument)
    if any(each.name == name and each.kind is each.KEYWORD_ONLY for each in parameters):
        return function(**{name: argument})
    first = next(iter(parameters), None)
    if first is None or first.kind in (first.KEYWORD_ONLY, first.VAR_KEYWORD):
        return function()
    wants = first.default is first.empty or first.name == name
    return function(argument) if wants else function()


def error_text(error: BaseException) -> str:
    """Type and message of an exception, even if it cannot say its message."""
    try:
        message = str(error)
    # An exception class of somebody else's whose __str__ raises: its type is told all the same.
    except Exception:  # noqa: BLE001
        message = "(its message cannot be shown)"
    kind = type(error).__name__
    text = f"{kind}: {message}"[:LONGEST_TEXT] if message else kind
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair fits no frame


def place_of(error: BaseException) -> str:
    """Where the agent's own code was when it raised: file, line number and line, or ''."""
    raised = traceback.extract_tb(error.__traceback__, limit=-FRAMES_READ)
    theirs = [frame for frame in raised if not frame.filename.startswith((OURS, "<frozen"))]
    own = [
        frame
        for frame in theirs
        if "site-packages" not in frame.filename and not frame.filename.startswith(PYTHON)
    ]
    if not theirs:
        return ""
    last = (own or theirs)[-1]
    return f"{Path(last.filename).name}, line {last.lineno}: {last.line}"[:LONGEST_TEXT]


def _shown(answer: object) -> str:
    return f"{reprlib.repr(answer)} of type {type(answer).__name__}"


def _array(rows: object) -> Array:
    import numpy as np  # most agents offer no probabilities

    try:
        table = np.ascontiguousarray(rows, dtype="<f8")
    except (TypeError, ValueError):  # ragged or no numbers: the other side refuses the shape
        return (), b""
    return table.shape, table.tobytes()


def _model(frame: ModelFrame) -> FiniteMDP:
    import numpy as np

    from offswitch.mdp.model import FiniteMDP  # imports scipy

    return FiniteMDP(
        n_states=frame.n_states,
        n_actions=frame.n_actions,
        row_start=np.frombuffer(frame.row_start, dtype="<i8"),
        next_state=np.frombuffer(frame.next_state, dtype="<i8"),
        probability=np.frombuffer(frame.probability, dtype="<f8"),
        start=np.frombuffer(frame.start, dtype="<f8"),
        state_names=frame.state_names,
        action_names=frame.action_names,
    )
