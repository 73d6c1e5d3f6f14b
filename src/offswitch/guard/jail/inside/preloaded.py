"""The entry program's modules from bytecode in memory: a file each takes twice as long to load."""

from __future__ import annotations

import sys
from _frozen_importlib import ModuleSpec

__all__ = ["install"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType


def install(modules: dict[str, tuple[bool, CodeType]]) -> None:
    """From here on a module of `modules` (name -> whether it is a package, and its code) is
    imported from there."""
    sys.meta_path.insert(0, _Finder(modules))


class _Finder:
    def __init__(self, modules: dict[str, tuple[bool, CodeType]]) -> None:
        self._modules = modules

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        if name not in self._modules:
            return None
        # Its own loader by what it can do: importlib.abc, to say so, would cost all that is saved.
        return ModuleSpec(name, self, is_package=self._modules[name][0])  # type: ignore[arg-type]

    def create_module(self, _spec: object) -> None:
        """None: Python makes an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code in it."""
        exec(self._modules[module.__name__][1], module.__dict__)
