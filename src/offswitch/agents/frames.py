"""The messages between offswitch and an agent's process, each behind its length.

A frame is four bytes of length (little-endian) and one msgpack message. Every request carries a
number and its reply repeats it, so that an agent that writes into the pipe by itself is found out.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from offswitch.agents.task_view import TaskView

__all__ = [
    "Act",
    "Acted",
    "Begin",
    "Broke",
    "Channel",
    "Done",
    "GivePolicy",
    "GiveProbabilities",
    "Malformed",
    "ModelFrame",
    "Offer",
    "Ready",
    "Reply",
    "Request",
    "Reset",
    "Rows",
    "Unmakeable",
    "encode",
    "read_request",
]

HEADER_BYTES = 4
LARGEST_FRAME = 1 << 28
"""Bytes; a policy of 200,000 states and 100 actions fits."""
PIECE = 1 << 16
LOOK_SECONDS = 0.25
"""How often a silent process is asked whether it still exists."""

Offer: TypeAlias = Literal["nothing", "policy", "action_probabilities"]


class _Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    number: int


class ModelFrame(msgspec.Struct, frozen=True, array_like=True):
    """A FiniteMDP whose arrays are their own little-endian bytes."""

    n_states: int
    n_actions: int
    row_start: bytes
    next_state: bytes
    probability: bytes
    start: bytes
    state_names: tuple[str, ...]
    action_names: tuple[str, ...]


class Begin(_Message, frozen=True):
    """Import, and make the agent."""

    spec: str
    task: TaskView


class Reset(_Message, frozen=True):
    """Begin an episode."""

    seed: int


class Act(_Message, frozen=True):
    """Choose the next action."""

    observation: tuple[int, ...]


class GiveProbabilities(_Message, frozen=True):
    """Say the action probabilities for each of O observations."""

    observations: tuple[tuple[int, ...], ...]


class GivePolicy(_Message, frozen=True):
    """Say the action probabilities for each state of a model."""

    model: ModelFrame


class Ready(_Message, frozen=True):
    """The agent is made."""

    offers: Offer


class Done(_Message, frozen=True):
    """The episode has begun."""


class Acted(_Message, frozen=True):
    """The action chosen."""

    action: int


class Rows(_Message, frozen=True):
    """An array of float64 in its own bytes."""

    shape: tuple[int, ...]
    data: bytes


class Malformed(_Message, frozen=True):
    """The agent answered with something that is no action, or no probabilities."""

    got: str


class Broke(_Message, frozen=True):
    """The agent's code raised."""

    error: str
    """Type and message."""
    place: str
    """File, line number and line; empty where there is none."""


class Unmakeable(_Message, frozen=True):
    """The agent can never be made: what was got, what was expected, what to do."""

    why: str


Request: TypeAlias = Begin | Reset | Act | GiveProbabilities | GivePolicy
Reply: TypeAlias = Ready | Done | Acted | Rows | Malformed | Broke | Unmakeable

_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Request)
_replies = msgspec.msgpack.Decoder(Reply)


def encode(message: Request | Reply) -> bytes:
    """The frame of a message."""
    body = _encoder.encode(message)
    return len(body).to_bytes(HEADER_BYTES, "little") + body


def read_request(descriptor: int) -> Request | None:
    """The next request from a blocking pipe; None where the other side has closed it."""
    header = _read_all(descriptor, HEADER_BYTES)
    body = _read_all(descriptor, int.from_bytes(header, "little")) if header else b""
    return _requests.decode(body) if body else None


def _read_all(descriptor: int, count: int) -> bytes:
    got = bytearray()
    while len(got) < count:
        piece = os.read(descriptor, min(count - len(got), PIECE))
        if not piece:
            return b""
        got += piece
    return bytes(got)


class Channel:
    """The asking end: one request out, one reply in, within a time limit."""

    def __init__(self, reader: int, writer: int, is_alive: Callable[[], bool]) -> None:
        self._reader = reader
        self._writer = writer
        self._is_alive = is_alive
        self._buffer = bytearray()
        os.set_blocking(writer, False)
        self._readable = select.poll()
        self._readable.register(reader, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(writer, select.POLLOUT)

    def ask(self, request: Request, seconds: float) -> Reply:
        """The reply to `request`.

        Raises:
            TimeoutError: none came within `seconds`.
            EOFError: the process behind the pipe is gone.
            ValueError: what came is no reply to this request.
        """
        deadline = time.monotonic() + seconds
        self._send(encode(request), deadline)
        count = int.from_bytes(self._receive(HEADER_BYTES, deadline), "little")
        if count > LARGEST_FRAME:
            raise ValueError(f"a reply of {count} bytes")
        try:
            reply: Reply = _replies.decode(self._receive(count, deadline))
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None
        if reply.number != request.number:
            raise ValueError(f"reply {reply.number} to request {request.number}")
        return reply

    def await_end(self, seconds: float) -> None:
        """Returns once the other side has closed its pipe or ended, or after `seconds`."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError, EOFError):
            while time.monotonic() < deadline:
                self._wait(self._readable, deadline)
                if not os.read(self._reader, PIECE):
                    return

    def _send(self, frame: bytes, deadline: float) -> None:
        left = memoryview(frame)
        while left:
            try:
                left = left[os.write(self._writer, left) :]
            except BlockingIOError:
                self._wait(self._writable, deadline)
            except BrokenPipeError:
                raise EOFError from None

    def _receive(self, count: int, deadline: float) -> bytes:
        while len(self._buffer) < count:
            self._wait(self._readable, deadline)
            piece = os.read(self._reader, PIECE)
            if not piece:
                raise EOFError
            self._buffer += piece
        got = bytes(self._buffer[:count])
        del self._buffer[:count]
        return got

    def _wait(self, poll: select.poll, deadline: float) -> None:
        # A child of the agent may hold the pipe open after the agent died: the end of the pipe
        # alone does not tell, so a silent process is looked at now and then.
        while True:
            left = deadline - time.monotonic()
            alive = self._is_alive()
            if poll.poll(max(0.0, min(left, LOOK_SECONDS if alive else 0.0)) * 1000):
                return
            if not alive:
                raise EOFError
            if left <= 0:
                raise TimeoutError
