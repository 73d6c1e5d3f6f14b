"""The entry program's modules from bytecode in memory: a file each takes twice as long to load."""

from __future__ import annotations

import sys

__all__ = ["preload"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType


def preload(modules: list[tuple[str, bool, CodeType]]) -> None:
    """Every module, given by its name, whether it is a package and its code, is imported.

    In this order, without Python's search for one: each has to come after what it imports itself.
    """
    module = type(sys)
    sys.modules.update({name: module(name) for name, _, _ in modules})
    for name, package, code in modules:
        one, (folder, _, last) = sys.modules[name], name.rpartition(".")
        one.__package__ = name if package else folder
        exec(code, one.__dict__)
        if folder:
            setattr(sys.modules[folder], last, one)
