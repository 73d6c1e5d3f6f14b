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
from types import CodeType

from offswitch.guard.jail import inside
from offswitch.guard.jail.descriptors import JailFds

__all__ = ["entry_bytecode", "entry_command"]

_START = """\
import gc, marshal, posix, sys
gc.disable()
if sys.implementation.cache_tag == {tag!r}:
    first, modules = marshal.loads(posix.pread({program}, 1 << 24, 0))
    exec(first)
    preload(modules)
else:
    sys.path.insert(0, {folder!r})
from inside.entry import main
main({settings})
"""


def entry_command(python: str, folder: str) -> tuple[str, ...]:
    """The command that becomes the entry program, whose package lies in `folder`, too.

    `entry_bytecode` must be readable at `JailFds.PROGRAM`. The program collects no garbage: it
    lives for milliseconds, and in its child a collection would copy every page that both share.
    """
    text = _START.format(
        tag=sys.implementation.cache_tag,
        program=JailFds.PROGRAM,
        folder=folder,
        settings=JailFds.SETTINGS,
    )
    return (python, "-I", "-S", "-c", text)


_PROBES = (
    "calls", "files", "namespaces", "privileges", "processes", "resources", "sockets", "terminal",
)  # fmt: skip
_IMPORTED = (
    "inside",
    *(f"inside.{name}" for name in ("outcome", "kernel", "landlock", "limits", "forwarder")),
    *(f"inside.probes.{name}" for name in _PROBES),
    *(f"inside.{name}" for name in ("probes", "battery", "entry")),
)
"""The entry program's modules, each after those that it imports."""


@functools.cache
def entry_bytecode() -> bytes:
    """What defines `preload`, and what it is given in the jail, for this Python version."""
    modules = []
    for name in _IMPORTED:
        place = Path(inside.__path__[0], *name.split(".")[1:])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        modules.append((name, place.is_dir(), _code(name, file)))
    first = _code("inside.preloaded", Path(inside.__path__[0], "preloaded.py"))
    return marshal.dumps((first, modules))


def _code(name: str, file: Path) -> CodeType | None:
    return SourceFileLoader(name, str(file)).get_code(name)
