"""Decision processes on disk: .json to read, .npz to be small. Both keep every bit.

A .json holds exactly these keys:

| key | content |
|---|---|
| format, version | 'offswitch-mdp', 1 |
| state_names, action_names | distinct strings, one for each state and action |
| start | [S] probability of every first state |
| rows | [[state, action, next state, probability], ..], by number |
"""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError, nearest_name, problems_text
from offswitch.mdp.model import FiniteMDP

__all__ = ["is_text", "read_mdp", "write_mdp"]

FORMAT = "offswitch-mdp"
VERSION = 1
SUFFIXES = (".json", ".npz")
MOST_NAMES = 10
"""Names listed for each kind of problem."""
KEYS = ("action_names", "format", "rows", "start", "state_names", "version")


def write_mdp(mdp: FiniteMDP, path: Path | str) -> None:
    """Writes `mdp` to `path`, as the suffix says: .json or .npz.

    Raises:
        ModelError: the suffix is neither, or `read_mdp` would refuse the names.
    """
    target = Path(path)
    problems = [
        *_name_problems("state_names", mdp.state_names),
        *_name_problems("action_names", mdp.action_names),
    ]
    if problems:
        raise ModelError(problems_text(str(target), problems))
    head: dict[str, Any] = {  # Any: JSON
        "format": FORMAT,
        "version": VERSION,
        "state_names": list(mdp.state_names),
        "action_names": list(mdp.action_names),
    }
    if _suffix(target) == ".json":
        target.write_text(_json_text({**head, "start": mdp.start.tolist()}, mdp), encoding="utf-8")
        return
    # Names go in as JSON bytes: numpy's own strings drop trailing zero characters.
    packed = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    np.savez_compressed(target, head=packed, start=mdp.start, rows=_rows(mdp))


def read_mdp(path: Path | str) -> FiniteMDP:
    """The process that `write_mdp` wrote to `path`, bit for bit.

    Raises:
        ModelError: the suffix is unknown, or the file is malformed; lists every problem at once.
    """
    source = Path(path)
    document = _read_json(source) if _suffix(source) == ".json" else _read_npz(source)
    problems = _head_problems(document)
    states, actions = document.get("state_names"), document.get("action_names")
    if problems or not isinstance(states, list) or not isinstance(actions, list):
        raise ModelError(problems_text(str(source), problems))
    try:
        return FiniteMDP.from_coo(
            len(states),
            len(actions),
            document["rows"],
            state_names=states,
            action_names=actions,
            start=document["start"],
        )
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from error


def _suffix(path: Path) -> str:
    if path.suffix in SUFFIXES:
        return path.suffix
    raise ModelError(
        f"{path} ends in {path.suffix!r}, expected {' or '.join(SUFFIXES)}. Rename the file."
    )


def _rows(mdp: FiniteMDP) -> NDArray[np.float64]:
    row = np.repeat(np.arange(mdp.n_states * mdp.n_actions), np.diff(mdp.row_start))
    columns = [row // mdp.n_actions, row % mdp.n_actions, mdp.next_state, mdp.probability]
    return np.column_stack(columns)


def _json_text(head: dict[str, Any], mdp: FiniteMDP) -> str:  # Any: JSON
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    rows = [
        f"  [{int(state)}, {int(action)}, {int(to)}, {json.dumps(chance)}]"
        for state, action, to, chance in _rows(mdp).tolist()
    ]
    return "\n".join(["{", *lines, ' "rows": [', ",\n".join(rows), " ]", "}"]) + "\n"


def _read_json(path: Path) -> Mapping[str, Any]:  # Any: JSON
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ModelError(
            f"{path} cannot be read as JSON: its lists are nested too deeply. Expected an object "
            f"with the keys {', '.join(KEYS)}."
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise ModelError(f"{path} holds a {type(document).__name__}, expected a JSON object")
    return document


def _read_npz(path: Path) -> Mapping[str, Any]:  # Any: JSON
    try:
        with np.load(path, allow_pickle=False) as arrays:
            parts = {name: arrays[name] for name in arrays.files}
        head = json.loads(parts.pop("head").tobytes())
    except (
        OSError, ValueError, KeyError, EOFError, RecursionError, zipfile.BadZipFile
    ) as error:  # fmt: skip
        raise ModelError(f"{path} cannot be read as an npz file of ours: {error}") from error
    return {**(head if isinstance(head, dict) else {}), **parts}


def _head_problems(document: Mapping[str, Any]) -> list[str]:  # Any: JSON
    problems = [f"key {key!r} is missing" for key in KEYS if key not in document]
    problems += [
        nearest_name(key, KEYS, kind="key", lister="python -m pydoc offswitch.mdp.files")
        for key in document
        if key not in KEYS
    ]
    for key, expected in (("format", FORMAT), ("version", VERSION)):
        if key in document and document[key] != expected:
            problems.append(f"{key} is {document[key]!r}, expected {expected!r}")
    for key in ("state_names", "action_names"):
        if key in document:
            problems += _name_problems(key, document[key])
    return problems + [
        problem
        for key in ("start", "rows")
        if key in document
        for problem in _number_problems(key, document[key])
    ]


def _name_problems(key: str, names: object) -> list[str]:
    """What is wrong with the names of states or actions, which must tell them apart in any file."""
    listed = list(names) if isinstance(names, list | tuple) else []
    given = [name for name in listed if isinstance(name, str)]
    if not given or len(given) < len(listed):
        return [f"{key} is no list of strings, expected at least one name"]
    twice = [name for name, count in Counter(given).items() if count > 1]
    problems = [
        f"{key} has {name!r} {given.count(name)} times, expected distinct names"
        for name in twice[:MOST_NAMES]
    ]
    if len(twice) > MOST_NAMES:
        problems.append(f"{key} has {len(twice) - MOST_NAMES} more names more than once")
    return (
        problems
        + [
            f"{key} has {name!r}, which is no Unicode text: it holds half of a surrogate pair"
            for name in given
            if not is_text(name)
        ][:MOST_NAMES]
    )


def is_text(name: str) -> bool:
    """Whether `name` can be written in any Unicode encoding; JSON can spell half a character."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _number_problems(key: str, value: object) -> list[str]:
    try:
        np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        return [f"{key} is no array of numbers: {error}"]
    return []
