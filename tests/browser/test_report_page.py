"""The HTML report in a real browser: it shows, it fits, and nothing leaves it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest

from offswitch.report import GateLine, write_html

pytestmark = pytest.mark.slow

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
INSTALL = (
    "no headless browser: chromium and chromedriver were not found on PATH. "
    "Install them: apt-get install chromium chromium-driver"
)
WIDTHS = (1280, 400)


def _samples() -> ModuleType:
    path = Path(__file__).parents[1] / "report" / "sample_report.py"
    spec = importlib.util.spec_from_file_location("browser_sample_report", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(INSTALL)
        pytest.skip(INSTALL)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    profile = tmp_path_factory.mktemp("profile")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    samples, folder = _samples(), tmp_path_factory.mktemp("pages")
    report = samples.sample_report()
    gate = GateLine(
        measure="C_min", limit_text="lower bound above 0.9", verdict="FAIL", reason="0.23 < 0.9"
    )
    reports = {
        "usual": report, "hostile": samples.hostile(report), "empty": samples.empty(report)
    }  # fmt: skip
    for name, one in reports.items():
        write_html(one, folder / f"{name}.html", (gate,))
    return {name: folder / f"{name}.html" for name in reports}


def _open(browser: Any, page: Path, width: int, scheme: str = "light") -> None:
    for kind in ("performance", "browser"):
        browser.get_log(kind)  # forget what an earlier page said
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(page.as_uri())


def _asked_for(browser: Any) -> list[str]:
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


@pytest.mark.parametrize("name", ["usual", "hostile", "empty"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_request_leaves_the_page_and_the_console_is_silent(
    browser: Any, pages: dict[str, Path], name: str, width: int
) -> None:
    _open(browser, pages[name], width)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    asked = _asked_for(browser)
    assert pages[name].as_uri() in asked
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data"}
    assert [url for url in asked if url.startswith("file:")] == [pages[name].as_uri()]
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", WIDTHS)
def test_all_figures_show_and_none_is_cut(browser: Any, pages: dict[str, Path], width: int) -> None:
    _open(browser, pages["usual"], width)
    figures = browser.execute_script(
        "return [...document.querySelectorAll('svg')].map(s => {"
        " const r = s.getBoundingClientRect();"
        "return [s.dataset.figure, r.width, r.height, r.left, r.right,"
        " [...s.querySelectorAll('text')].filter(t => {const b = t.getBoundingClientRect();"
        " return b.left < r.left - 1 || b.right > r.right + 1}).map(t => t.textContent)]})"
    )
    names = [figure[0] for figure in figures]
    assert names == ["resistance", "corrigibility", "prediction", "drives"]
    for name, wide, high, left, right, cut in figures:
        assert wide > 300, name
        assert high > 150, name
        assert left >= 0, name
        assert right <= width, name
        assert cut == [], name


@pytest.mark.parametrize("name", ["usual", "hostile", "empty"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_never_scrolls_sideways_even_with_everything_unfolded(
    browser: Any, pages: dict[str, Path], name: str, width: int
) -> None:
    _open(browser, pages[name], width)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= width


def test_words_in_a_figure_do_not_overlap(browser: Any, pages: dict[str, Path]) -> None:
    _open(browser, pages["usual"], 400)
    overlapping = browser.execute_script(
        "const out = []; for (const s of document.querySelectorAll('svg')) {"
        " const boxes = [...s.querySelectorAll('text')].map(t => [t.textContent,"
        "  t.getBoundingClientRect()]);"
        " boxes.forEach(([a, p], i) => boxes.slice(i + 1).forEach(([b, q]) => {"
        "  if (p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 2"
        "   && q.top < p.bottom - 2) out.push([a, b]) }))} return out"
    )
    assert overlapping == []


def test_dark_mode_recolours_the_page_and_its_figures(browser: Any, pages: dict[str, Path]) -> None:
    read = (
        "const t = document.querySelector('svg text');"
        "return [getComputedStyle(document.body).backgroundColor, getComputedStyle(t).fill]"
    )
    _open(browser, pages["usual"], 1280, "light")
    light = browser.execute_script(read)
    _open(browser, pages["usual"], 1280, "dark")
    dark = browser.execute_script(read)
    assert light[0] != dark[0]
    assert light[1] != dark[1]


def test_a_printed_page_shows_what_is_folded_on_screen(
    browser: Any, pages: dict[str, Path]
) -> None:
    _open(browser, pages["usual"], 1280)
    seen = (
        "return [...document.querySelectorAll('details:not([open]) table')]"
        ".map(t => t.checkVisibility())"
    )
    folded = browser.execute_script(seen)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    printed = browser.execute_script(seen)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert len(folded) > 10
    assert not any(folded)
    assert all(printed)


def test_a_script_in_a_name_is_only_ever_read(browser: Any, pages: dict[str, Path]) -> None:
    _open(browser, pages["hostile"], 1280)
    assert browser.execute_script("return document.scripts.length + document.images.length") == 0
    assert "<script>alert('x')</script>" in browser.execute_script(
        "return document.querySelector('h1').textContent"
    )
