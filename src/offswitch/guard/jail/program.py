"""How the entry program is started: from its bytecode in memory, or file by file.

Its modules in one piece are 3 ms of a launch less than a file each. Bytecode is good for one minor
version of Python, so an interpreter of another takes the files.
"""

from __future__ import annotations

import functools
import marshal
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

from offswitch.guard.jail import inside
from offswitch.guard.jail.descriptors import JailFds

__all__ = ["entry_bytecode", "entry_command"]

_START = """\
import sys, marshal, posix
if sys.implementation.cache_tag == {tag!r}:
    first, modules = marshal.loads(posix.pread({program}, 1 << 24, 0))
    exec(first)
    install(modules)
else:
    sys.path.insert(0, {folder!r})
from inside.entry import main
main({settings})
"""


def entry_command(python: str, folder: str) -> tuple[str, ...]:
    """The command that becomes the entry program, whose package lies in `folder`, too.

    `entry_bytecode` must be readable at `JailFds.PROGRAM`.
    """
    text = _START.format(
        tag=sys.implementation.cache_tag,
        program=JailFds.PROGRAM,
        folder=folder,
        settings=JailFds.SETTINGS,
    )
    return (python, "-I", "-S", "-c", text)


@functools.cache
def entry_bytecode() -> bytes:
    """What defines `install`, and every module by its name in the jail, for this Python version."""
    root = Path(inside.__path__[0])
    modules = {}
    for file in sorted(root.rglob("*.py")):
        parts = ("inside", *file.relative_to(root).with_suffix("").parts)
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        modules[name] = (package, SourceFileLoader(name, str(file)).get_code(name))
    return marshal.dumps((modules["inside.preloaded"][1], modules))
