"""`__all__` is sorted and is what a module really offers; every module has a docstring."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import offswitch

ROOT = Path(offswitch.__file__).parent
MODULES = sorted(path for path in ROOT.rglob("*.py") if not path.name.startswith("__"))


def declared(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return None


def defined(tree: ast.Module) -> set[str]:
    """Public functions and classes of the module; constants are public only where declared."""
    kinds = ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef
    return {n.name for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")}


def bound(tree: ast.Module) -> set[str]:
    names = {name.id for n in tree.body for name in ast.walk(n)
             if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}  # fmt: skip
    return names | defined(tree) | {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_all_is_sorted_bound_and_holds_every_public_function_and_class(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    names = declared(tree)
    assert names is not None
    assert names == sorted(names, key=_ruff_order)
    assert set(names) <= bound(tree)
    assert defined(tree) <= set(names), defined(tree) - set(names)


def _ruff_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order that ruff keeps."""
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, name
