"""What a probe found, and the line that reports it."""

from __future__ import annotations

import errno

__all__ = [
    "ALLOWED",
    "BLOCKED",
    "NOT_APPLICABLE",
    "Outcome",
    "allowed",
    "blocked",
    "error_name",
    "not_applicable",
    "refused",
    "report_line",
]

ALLOWED = "allowed"
BLOCKED = "blocked"
NOT_APPLICABLE = "not applicable"


class Outcome:
    """One attempt: its name, one of the three words, and what the kernel answered."""

    __slots__ = ("detail", "name", "word")

    def __init__(self, name: str, word: str, detail: str) -> None:
        self.name = name
        self.word = word
        self.detail = detail


def allowed(name: str, detail: str) -> Outcome:
    """The attempt went through."""
    return Outcome(name, ALLOWED, detail)


def blocked(name: str, detail: str) -> Outcome:
    """The attempt was refused, or had no effect."""
    return Outcome(name, BLOCKED, detail)


def not_applicable(name: str, detail: str) -> Outcome:
    """There was nothing to attempt."""
    return Outcome(name, NOT_APPLICABLE, detail)


def refused(name: str, problem: OSError) -> Outcome:
    """The kernel answered with an error: blocked, and which."""
    return blocked(name, error_name(problem.errno or 0))


def error_name(number: int) -> str:
    """'EPERM' for 1."""
    return errno.errorcode.get(number, str(number))


def report_line(fields: dict[str, str | int]) -> bytes:
    """One JSON object on a line, ASCII, written without the json module (10 ms to import)."""
    parts = [f"{_quoted(key)}:{_value(value)}" for key, value in fields.items()]
    return ("{" + ",".join(parts) + "}\n").encode("ascii")


def _value(value: str | int) -> str:
    return str(value) if isinstance(value, int) else _quoted(value[:300])


def _quoted(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'  # almost every one; letter by letter they would cost a launch 1 ms
    plain = "".join(
        c if " " <= c <= "~" and c not in '"\\' else f"\\u{ord(c):04x}" for c in _bmp(text)
    )
    return f'"{plain}"'


def _bmp(text: str) -> str:
    return "".join(c if ord(c) < 0xD800 else "?" for c in text)
