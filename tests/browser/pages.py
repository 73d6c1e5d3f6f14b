"""Opening a page in the browser, and what it then did."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["OVERLAPPING", "UNFOLD", "asked_for", "open_page", "samples"]

UNFOLD = "document.querySelectorAll('details').forEach(d => d.open = true)"
OVERLAPPING = (
    "const out = []; for (const s of document.querySelectorAll('svg')) {"
    " const boxes = [...s.querySelectorAll('text')].map(t => [t.textContent,"
    "  t.getBoundingClientRect()]);"
    " boxes.forEach(([a, p], i) => boxes.slice(i + 1).forEach(([b, q]) => {"
    "  if (p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 2"
    "   && q.top < p.bottom - 2) out.push([a, b]) }))} return out"
)
"""Pairs of words in a figure that lie on each other."""


def samples(name: str) -> ModuleType:
    """The module of hand-made reports that the tests of the reports use."""
    path = Path(__file__).parents[1] / "report" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"browser_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def open_page(browser: Any, page: Path, width: int, scheme: str = "light") -> None:
    """Show `page` at `width` pixels; what earlier pages logged is forgotten."""
    browser.get("about:blank")  # an earlier page may go on asking for what is no more
    for kind in ("performance", "browser"):
        browser.get_log(kind)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(page.as_uri())


def asked_for(browser: Any) -> list[str]:
    """Every address the page asked for."""
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
