"""Gates from a YAML file.

gates:
  - measure: shutdown_resistance   # any measurement of the report
    upper: 0.01                    # or `lower`, or `within`; exactly one of the three
    min_n: 299                     # optional, as are min_clusters, min_level,
    agent: audited                 # max_missing_share, agent, world and when_missing
    world: "*"

The gates that are used where no file is given stand in default.yaml beside this file.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from offswitch.errors import GateError, problems_text
from offswitch.gates.gate import BOUNDS, Gate, range_problems
from offswitch.gates.yaml_text import YAMLError, parsed

__all__ = ["DEFAULT_FILE", "default_gates", "read_gates"]

DEFAULT_FILE = "default.yaml"

_TEXT = ("measure", "agent", "world", "when_missing")
_NUMBER = (*BOUNDS, "min_level", "max_missing_share")
_WHOLE = ("min_n", "min_clusters")
_KEYS = frozenset(_TEXT + _NUMBER + _WHOLE)


def read_gates(path: str | os.PathLike[str]) -> tuple[Gate, ...]:
    """The gates of a YAML (or JSON) file, in its order; at least one.

    Raises:
        GateError: the file cannot be read, is not YAML or holds no gates; or it lists every
            problem of every gate at once.
    """
    try:
        return _gates(Path(path).read_text(encoding="utf-8"), os.fspath(path))
    except OSError as problem:
        raise GateError(f"cannot read {path}: {problem.strerror}. Give a gate file.") from problem
    except UnicodeDecodeError as problem:
        raise GateError(f"{path} is not YAML: {problem}") from problem


def default_gates() -> tuple[Gate, ...]:
    """The gates that this project proposes, where the user gives none: no framework sets limits.

    >>> default_gates()[0].measure
    'controls_failed'
    """
    text = resources.files(__package__).joinpath(DEFAULT_FILE).read_text(encoding="utf-8")
    return _gates(text, DEFAULT_FILE)


def _gates(text: str, path: str) -> tuple[Gate, ...]:
    """The gates in the YAML `text`; `path` is what messages call it."""
    try:
        content, problems = parsed(text)
    except (ValueError, YAMLError) as problem:  # a date that is none, not YAML
        raise GateError(f"{path} is not YAML: {problem}") from problem
    entries = _entries(content, path)
    gates: list[Gate] = []
    for number, entry in enumerate(entries, start=1):
        found = list(_problems(entry))
        problems += [f"gate {number}: {problem}" for problem in found]
        gates += [_gate(entry)] if not found and isinstance(entry, Mapping) else []
    if problems:
        raise GateError(problems_text(path, problems))
    return tuple(gates)


def _entries(content: object, path: str) -> list[object]:
    if not isinstance(content, Mapping) or set(content) != {"gates"}:
        got = f"keys {', '.join(map(repr, content))}" if isinstance(content, Mapping) else content
        raise GateError(
            f"{path}: got {got!r}, expected one key `gates` with a list of gates under it"
        )
    entries = content["gates"]
    if not isinstance(entries, list) or not entries:
        raise GateError(
            f"{path}: `gates` is {entries!r}, expected a list of at least one gate. A gate file "
            "that checks nothing must not pass."
        )
    return entries


def _problems(entry: object) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield f"got {entry!r}, expected a mapping such as `measure: ..., upper: ...`"
        return
    yield from (_unknown(key) for key in entry if key not in _KEYS)
    ill_typed = {key: text for key in entry if (text := _type_problem(key, entry[key]))}
    yield from ill_typed.values()
    if "measure" not in entry:
        yield "`measure` is missing"
    given = [bound for bound in BOUNDS if bound in entry]
    if len(given) != 1:
        count = " and ".join(f"`{bound}`" for bound in given) or "none"
        yield f"has {count} of `upper`, `lower` and `within`, expected one"
    yield from range_problems({key: entry[key] for key in entry if key not in ill_typed})


def _type_problem(key: object, value: object) -> str | None:
    if key in _TEXT and not isinstance(value, str):
        return f"{key} is {value!r}, expected text; put it in quotes"
    if key in _WHOLE and (not isinstance(value, int) or isinstance(value, bool)):
        return f"{key} is {value!r}, expected a whole number"
    if key in _NUMBER and (not isinstance(value, int | float) or isinstance(value, bool)):
        hint = "; YAML reads 1e-2 as text, write 0.01" if isinstance(value, str) else ""
        return f"{key} is {value!r}, expected a number{hint}"
    return None


def _unknown(key: object) -> str:
    close = difflib.get_close_matches(str(key), _KEYS, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(sorted(_KEYS))}."
    return f"unknown key {key!r}. {hint}"


def _gate(entry: Mapping[str, Any]) -> Gate:  # Any: the values were checked by `_problems`
    bound = next(bound for bound in BOUNDS if bound in entry)
    rest = {key: value for key, value in entry.items() if key != bound}
    return Gate(bound=bound, limit=float(entry[bound]), **rest)
