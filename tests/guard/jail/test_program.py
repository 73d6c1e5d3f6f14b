"""How the entry program gets into the jail."""

from __future__ import annotations

import ast
import marshal
import subprocess
import sys
from pathlib import Path

import pytest
from jails import output, planned
from msgspec.structs import replace

from offswitch.guard.jail import inside
from offswitch.guard.jail.descriptors import JailFds
from offswitch.guard.jail.program import entry_bytecode


def test_every_module_of_the_entry_program_is_in_its_bytecode() -> None:
    root = Path(inside.__path__[0])
    first, modules = marshal.loads(entry_bytecode())
    files = [Path(code.co_filename) for code in (first, *(code for _, _, code in modules))]
    never_imported = root / "probes/bait.py"
    assert sorted([*files, never_imported]) == sorted(root.rglob("*.py"))
    assert {name for name, package, _ in modules if package} == {"inside", "inside.probes"}


def test_no_file_is_read_for_a_module_whose_bytecode_is_at_hand() -> None:
    text = (
        "import sys, marshal; first, modules = marshal.load(sys.stdin.buffer); exec(first); "
        "preload(modules); import inside.entry; "
        "print(inside.entry.battery is sys.modules['inside.battery'], "
        "{hasattr(m, '__file__') for n, m in sys.modules.items() if n[:6] == 'inside'})"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", text],
        input=entry_bytecode(), capture_output=True, check=True,
    )  # fmt: skip
    assert ran.stdout == b"True {False}\n"


@pytest.mark.parametrize("tag", [sys.implementation.cache_tag, "python-of-another-day"])
def test_an_interpreter_of_another_version_takes_the_files(tag: str) -> None:
    with planned(("echo", "fine")) as plan:
        own = repr(sys.implementation.cache_tag)
        assert own in plan.argv[-1]
        other = (*plan.argv[:-1], plan.argv[-1].replace(own, repr(tag)))
        # What is no bytecode at all is never looked at by another version.
        data = plan.data if tag in own else {**plan.data, JailFds.PROGRAM: b"\0"}
        assert output(replace(plan, argv=other, data=data)) == ("fine\n", 0)


def test_older_interpreters_are_told_every_byte_order() -> None:
    """Only from Python 3.11 on has it a default."""
    files = Path(inside.__path__[0]).rglob("*.py")
    nodes = [one for file in files for one in ast.walk(ast.parse(file.read_bytes()))]
    calls = [
        node for node in nodes if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute) and node.func.attr in ("to_bytes", "from_bytes")
    ]  # fmt: skip
    assert calls
    assert [ast.unparse(call) for call in calls if len(call.args) < 2] == []
