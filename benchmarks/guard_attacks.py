"""Every attack on the guard at every tier of this machine, as root and as an ordinary user.

The table is tests/guard/corpus/attack_table.py: the probes of the jail, acts in the workspace,
trees that will not die, the guards themselves, the record and the network; beside each attack an
innocent act of the same shape. For each user and tier it says how many attacks the tier promises
to block or to detect, how many were, and how many innocent acts were disturbed. What this machine
or user cannot do is `not enforceable` and counted. The corpus is fixed: its share is of these
attacks and of no others.

`python benchmarks/guard_attacks.py [--json] [--user UID] [--only WORD]`; about three minutes.
Exit code 1 where a promised attack was missed or an innocent act disturbed.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any  # plain JSON values

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "guard" / "corpus"))

import attack_table
import fronts
import jails
import test_operator_requests
import trees
from attack_table import TABLE, Attack, Ground, Seen, grounds

TIERS = (1, 2, 3, 4)
SYSTEM_PYTHON = "/usr/bin/python3"
"""For a user to whom this interpreter's own folder is closed."""
FINE = ("blocked", "detected", "not applicable")
SHORT = {"blocked": "B", "detected": "D", "missed": "MISSED", "not promised": ".",
         "not applicable": "n/a", "not enforceable": "n/e"}  # fmt: skip


def shown(row: Attack, ground: Ground) -> dict[str, Any]:
    """One row at one tier."""
    if row.tier is None or row.tier > ground.level:
        return {"name": row.name, "tier": ground.level, "word": "not promised", "by": "",
                "victims": None, "control": "not promised", "of_control": ""}  # fmt: skip
    seen, beside = tried(row.attack, ground, "missed"), tried(row.innocent, ground, "disturbed")
    return {"name": row.name, "tier": ground.level, "word": seen.word, "by": seen.by,
            "victims": seen.victims, "control": beside.word, "of_control": beside.by}  # fmt: skip


def tried(act: Any, ground: Ground, broken: str) -> Seen:
    try:
        found: Seen = act(ground)
    except Exception as problem:  # noqa: BLE001 - a row that breaks shows nothing, and is told
        return Seen(broken, f"the row broke: {problem!r:.200}")
    return found


def all_rows(only: str) -> list[dict[str, Any]]:
    """Every row at every tier that this user reaches."""
    rows = [row for row in TABLE if only in row.name]
    return [shown(row, ground) for ground in grounds() for row in rows]


def as_user(uid: int, only: str) -> list[dict[str, Any]]:
    """The same in a process of another user."""
    jails.ORDINARY = uid

    def act() -> list[dict[str, Any]]:
        os.environ["HOME"] = "/tmp"
        if not os.access(os.path.realpath(sys.executable), os.X_OK):
            sys.executable = trees.PYTHON = fronts.PYTHON = SYSTEM_PYTHON
            test_operator_requests.PYTHON = SYSTEM_PYTHON
            where = [SYSTEM_PYTHON, "-c", "import os; print(os.__file__)"]
            os.__file__ = subprocess.check_output(where, text=True).strip()
        attack_table.inspect_host.__globals__["_libc"].cache_clear()
        return all_rows(only)

    return jails.as_ordinary(act, list)


def not_enforceable(user: str, found: list[dict[str, Any]]) -> Iterator[str]:
    """The tiers that this user does not reach here."""
    reached = {one["tier"] for one in found}
    for tier in TIERS:
        if tier not in reached:
            promised = sum(row.tier is not None and row.tier <= tier for row in TABLE)
            yield f"{user}, tier {tier}: not enforceable here, {promised} attacks not tried"


def summary(user: str, tier: int, found: list[dict[str, Any]]) -> tuple[str, bool]:
    """A line of counts, and whether everything promised was kept."""
    at = [one for one in found if one["tier"] == tier and one["word"] != "not promised"]
    words = collections.Counter(one["word"] for one in at)
    controls = collections.Counter(one["control"] for one in at)
    tried_ = len(at) - words["not applicable"] - words["not enforceable"]
    good = words["blocked"] + words["detected"]
    share = f"{100 * good / tried_:.0f} %" if tried_ else "none tried"
    counts = ", ".join(f"{count} {word}" for word, count in sorted(words.items()))
    beside = ", ".join(f"{count} {word}" for word, count in sorted(controls.items()))
    kept = good == tried_ and not controls["disturbed"]
    return f"{user}, tier {tier}: {share} of {tried_} promised ({counts}); controls: {beside}", kept


def printed(users: dict[str, list[dict[str, Any]]]) -> None:
    cells = {(user, one["tier"], one["name"]): one for user, rows in users.items() for one in rows}
    columns = sorted({(user, tier) for user, tier, _ in cells}, key=lambda one: one)
    heads = "".join(f"{user[:5] + '/' + str(tier):>9}" for user, tier in columns)
    print(f"{'attack':28}{'from tier':>10}{heads}  shown by; control")
    for row in (row for row in TABLE if any(row.name == name for _, _, name in cells)):
        mine = [cells.get((user, tier, row.name)) for user, tier in columns]
        words = "".join(f"{SHORT.get(one['word'], '?') if one else 'n/e':>9}" for one in mine)
        last = next((one for one in reversed(mine) if one and one["by"]), None)
        alive = f", {last['victims']} alive before" if last and last["victims"] else ""
        beside = {one["control"] for one in mine if one} - {"not promised"}
        tier = "none" if row.tier is None else row.tier
        print(f"{row.name:28}{tier:>10}{words}  {last['by'] if last else '-'}{alive}; "
              f"{row.control}: {', '.join(sorted(beside)) or '-'}")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--user", type=int, default=4242, help="the ordinary user's id")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    told = parser.parse_args()
    users = {("root" if os.getuid() == 0 else f"{os.getuid()}"): all_rows(told.only)}
    if os.getuid() == 0:
        users[str(told.user)] = as_user(told.user, told.only)
    lines, kept = [], True
    for user, found in users.items():
        for tier in sorted({one["tier"] for one in found}):
            line, good = summary(user, tier, found)
            lines.append(line)
            kept = kept and good
        lines += not_enforceable(user, found)
    if "root" not in users:
        lines.append("root: not enforceable, this is an ordinary user")
    if told.json:
        print(json.dumps({"rows": users, "summary": lines, "kept": kept}, indent=1))
    else:
        printed(users)
        print(*lines, "every promise kept" if kept else "NOT every promise kept", sep="\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
