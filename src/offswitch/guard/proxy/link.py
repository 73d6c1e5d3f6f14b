"""The supervisor's end: starts the proxy process, writes down what it reports, raises its alarms.

A thread of its own answers the reports, so that the supervisor's loop never waits for the disk.
What moves the run is a verdict, a level of the policy's ladder, or the proxy's failure: never what
an agent said.
"""

from __future__ import annotations

import collections
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, final  # Any: values of a JSON object

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.ledger.record import RecordKind, Writer
from offswitch.guard.proxy import packets
from offswitch.guard.proxy.matching import HIDDEN_EXECUTION, Matching
from offswitch.guard.proxy.settings import EVERY_S, PER_S, ProxySettings, check_settings
from offswitch.guard.proxy.waiting import Waiting
from offswitch.guard.stop import wire
from offswitch.guard.stop.pidfd import kill_all
from offswitch.guard.supervisor.ladder import Alarm, Level, Thresholds
from offswitch.trace.event import Event

__all__ = ["SCORED", "THRESHOLDS", "Book", "ProxyLink"]

THRESHOLDS: Mapping[str, Thresholds] = {
    "guard-failure": Thresholds(kill=1.0),
    "policy": Thresholds(kill=1.0),
    **{
        name: Thresholds(ask=1.0, throttle=2.0, freeze=3.0, kill=4.0)
        for name in ("system-prompt", "tool-list", "dns-tunnel")
    },
    "hidden-act": Thresholds(),
}
"""The detectors that speak through `ProxyLink.alarms`, for the supervisor's ladder."""
SCORED = ("hidden-act",)
"""Those of them whose level the policy gives for a score of 1; the others name it themselves."""
START_S = 20.0


class Book(Protocol):
    """The ledger, as `ledger.writer.LedgerWriter` is one."""

    def append(
        self, kind: RecordKind, body: dict[str, Any], *, actor: Writer = "supervisor",
        authority: str = "", goal: str = "",
    ) -> int:  # fmt: skip
        """Append a record; its number."""

    def happened(self, event: Event) -> int:
        """Append an event; its record's number."""


@final
class ProxyLink:
    """One proxy process. Give `alarms` to the supervisor as a sensor, `close_egress` as a hook."""

    def __init__(
        self, settings: ProxySettings, book: Callable[[], Book | None], log: Path | None = None
    ) -> None:
        """Start it and wait until it listens. `book` gives the ledger; None: it is not open yet.

        Raises:
            GuardError: the settings do not fit, a key is not set, or it did not listen in time.
        """
        check_settings(settings)
        self._opened_book = book
        self._socket, theirs = wire.pair()
        self._alarms: collections.deque[Alarm] = collections.deque()  # none may push out another
        self._asked = Waiting(settings.operator_s)
        self._matching = Matching() if settings.models else None
        self._ending = False
        self._ready = threading.Event()
        with theirs:
            self._process = _started(settings, theirs.fileno(), log)
        self._pidfd: int | None = os.pidfd_open(self._process.pid)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="proxy-link", daemon=True)
        self._thread.start()
        self._ready.wait(START_S)
        if not self._ready.is_set() or self._alarms:
            self.close()
            raise GuardError(
                f"the proxy did not start: {_last_line(log)}; its own messages stand in {log}"
                if log
                else "the proxy did not start; its own message stands in the standard error above"
            )

    def alarms(self) -> Iterable[Alarm]:
        """What has come since the last call; never waits."""
        while self._alarms:
            yield self._alarms.popleft()

    @property
    def pidfd(self) -> int:
        """The proxy's process. Raises: GuardError when it is closed."""
        if self._pidfd is None:
            raise GuardError("the proxy is closed")
        return self._pidfd

    def waiting(self) -> tuple[Mapping[str, Any], ...]:
        """What operators are asked, the oldest first; see `Waiting.shown`."""
        return self._asked.shown(time.monotonic())

    def answer(self, number: int, allow: bool) -> bool:
        """Whether report `number` still waited for this answer. What follows is done beside."""
        fields = self._asked.taken(number)
        if fields is None:
            return False
        # A thread of its own: writing it down may wait for the disk, the supervisor may not.
        beside = threading.Thread(target=self._answered, args=(fields, allow), daemon=True)
        beside.start()
        return True

    def quiesce(self) -> None:
        """Let nothing new through."""
        quiet = {"type": "order", "word": "quiesce"}
        packets.send(self._socket, quiet)  # one that is gone is quiet

    def hold(self, reason: str) -> str:
        """Hold every act for an operator; without a reason: no longer. Says by what."""
        self._order("hold", reason=reason)
        return "the proxy: every act that the rules allow waits for an operator" if reason else ""

    def notice(self, text: str) -> None:
        """Tell the agent in its tools' results, and its models in what they are asked; an empty
        text: no longer."""
        self._order("notice", text=text)

    def throttle(self, on: bool) -> str:
        """Let acts, model calls and bytes pass slowly, or no longer. Says by what."""
        self._order("throttle", on=on)
        return f"the proxy: an act every {EVERY_S:g} s, {PER_S // 1024} KiB/s" if on else ""

    def repin(self, prompt_sha256: str) -> None:
        """Expect another system prompt from now on: an operator changed the goal."""
        self._order("repin", prompt=prompt_sha256)

    def close_egress(self) -> None:
        """Kill the proxy at once: every way out ends with it."""
        self._ending = True
        self._kill()

    def close(self) -> None:
        """Kill it and give everything back; twice is fine."""
        self.close_egress()
        self._process.wait()
        self._thread.join(START_S)
        with self._lock:
            if self._pidfd is not None:
                os.close(self._pidfd)
            self._pidfd = None
        self._socket.close()

    def _kill(self) -> None:
        with self._lock:
            kill_all((self._pidfd,))

    @property
    def _book(self) -> Book:
        book = self._opened_book()
        if book is None:
            raise GuardError("something was reported before the ledger was open")
        return book

    def _order(self, word: str, **fields: Any) -> None:  # Any: values of a JSON object
        if not packets.send(self._socket, {"type": "order", "word": word, **fields}):
            raise GuardError(f"the proxy did not take the order {word!r}")

    def _serve(self) -> None:
        try:
            while (fields := packets.receive(self._socket)) is not None:
                self._take(fields)
            why = "the proxy ended"
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing can be written down
            why = f"the proxy's reports cannot be taken: {type(error).__name__}: {error}"
        self._failed(why)
        self._ready.set()

    def _failed(self, why: str) -> None:
        if not self._ending:
            self._alarms.append(Alarm("guard-failure", 1.0, why))
            self._kill()

    def _answered(self, fields: Mapping[str, Any], allow: bool) -> None:
        number, word = fields["number"], "allowed" if allow else "refused"
        try:
            self._book.append("command", {"answer": word, "report": number}, actor="operator")
            packets.send(self._socket, {"type": "operator", "number": number, "allow": allow})
        except Exception as error:  # noqa: BLE001 - an answer that cannot be written is none
            self._failed(f"an answer cannot be written down: {type(error).__name__}: {error}")
            return
        if fields["type"] == "alarm" and allow:
            self._alarms.append(Alarm(str(fields["detector"]), 0.0, "an operator allowed it"))

    def _take(self, fields: dict[str, Any]) -> None:
        if before := fields.get("before"):
            self._take(before)
        match fields["type"]:
            case "act":
                self._act(fields)
            case "alarm":
                self._alarm(fields)
            case "note":
                body = {"what": fields["what"], **fields["fields"]}
                self._book.append("note", body, goal=str(body.pop("goal", "")))
            case "failed":
                self._book.append("note", {"what": "guard failed", "why": fields["why"]})
                self._alarms.append(Alarm("guard-failure", 1.0, str(fields["why"])))
            case "expired":
                self._expired(fields)
            case "ready":
                self._ready.set()
        if "number" in fields:
            packets.send(self._socket, {"type": "written", "number": fields["number"]})
        if fields["type"] == "act":  # it waits no longer
            self._match(fields)

    def _act(self, fields: dict[str, Any]) -> None:
        body = {name: fields[name] for name in ("source", "act", "word", "reason", "instead")}
        body["report"] = fields["number"]
        self._book.append("act", body, actor="agent", authority=fields["rule"] or "")
        if fields["word"] == "escalate":
            self._asked.add(fields, time.monotonic())
        elif fields["word"] == "terminate":
            self._alarms.append(Alarm("policy", 1.0, f"{fields['rule']}: {fields['reason']}"))

    def _match(self, fields: Mapping[str, Any]) -> None:
        """An executed tool call that no model proposed shows at once."""
        if self._matching is None or not (hidden := self._matching.hidden(fields)):
            return
        count = self._matching.count
        self._book.append("note", {"what": HIDDEN_EXECUTION, "act": fields["act"]})
        self._alarms.append(Alarm("hidden-act", float(count), hidden))

    def _expired(self, fields: Mapping[str, Any]) -> None:
        number = fields["report"]
        late = self._asked.taken(number) is None  # an answer was on its way when the time was up
        what = "an answer came too late" if late else "no operator answered"
        body = {"what": what, "report": number, "after_s": fields["after_s"]}
        self._book.append("note", body)

    def _alarm(self, fields: dict[str, Any]) -> None:
        body = {name: fields[name] for name in ("detector", "level", "evidence")}
        self._book.append("alarm", body)
        if fields.get("event"):
            self._book.happened(msgspec.convert(fields["event"], type=Event))
        level = Level[str(fields["level"]).upper()]
        self._alarms.append(Alarm(str(fields["detector"]), float(level), str(fields["evidence"])))
        if level is Level.ASK:
            self._asked.add(fields, time.monotonic())


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    said = "offswitch: the proxy cannot run: "  # what it begins its last words with
    return lines[-1].removeprefix(said)[:500].rstrip(".") if lines else "it said nothing"


def _started(settings: ProxySettings, channel: int, log: Path | None) -> subprocess.Popen[bytes]:
    variables = {"PATH", "HOME", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    variables |= {route.key_variable for route in settings.models}
    variables |= {server.key_variable for server in settings.mcp}
    with contextlib.ExitStack() as stack:
        errors = None if log is None else stack.enter_context(log.open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "offswitch.guard.proxy"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=[channel],
            env={name: os.environ[name] for name in variables if name in os.environ},
            start_new_session=True,
        )
    told = msgspec.json.encode(msgspec.structs.replace(settings, channel=channel))
    with contextlib.suppress(BrokenPipeError):  # it died at once: the thread sees that
        assert process.stdin is not None
        process.stdin.write(told)
        process.stdin.close()
    return process
