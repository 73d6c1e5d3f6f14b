"""The HTML report in a real browser: it shows, it fits, and nothing leaves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pages import OVERLAPPING, UNFOLD, asked_for, open_page, samples

from offswitch.report import GateLine, write_html

pytestmark = pytest.mark.slow

WIDTHS = (1280, 400)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made, folder = samples("sample_report"), tmp_path_factory.mktemp("pages")
    report = made.sample_report()
    gate = GateLine(
        measure="C_min", limit_text="lower bound above 0.9", verdict="FAIL", reason="0.23 < 0.9"
    )
    reports = {
        "usual": report, "hostile": made.hostile(report), "empty": made.empty(report)
    }  # fmt: skip
    for name, one in reports.items():
        write_html(one, folder / f"{name}.html", (gate,))
    return {name: folder / f"{name}.html" for name in reports}


@pytest.mark.parametrize("name", ["usual", "hostile", "empty"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_request_leaves_the_page_and_the_console_is_silent(
    browser: Any, pages: dict[str, Path], name: str, width: int
) -> None:
    open_page(browser, pages[name], width)
    browser.execute_script(UNFOLD)
    asked = asked_for(browser)
    assert pages[name].as_uri() in asked
    assert {urlsplit(url).scheme for url in asked} <= {"file", "data"}
    assert [url for url in asked if url.startswith("file:")] == [pages[name].as_uri()]
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", WIDTHS)
def test_all_figures_show_and_none_is_cut(browser: Any, pages: dict[str, Path], width: int) -> None:
    open_page(browser, pages["usual"], width)
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
    open_page(browser, pages[name], width)
    browser.execute_script(UNFOLD)
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= width


def test_words_in_a_figure_do_not_overlap(browser: Any, pages: dict[str, Path]) -> None:
    open_page(browser, pages["usual"], 400)
    assert browser.execute_script(OVERLAPPING) == []


def test_dark_mode_recolours_the_page_and_its_figures(browser: Any, pages: dict[str, Path]) -> None:
    read = (
        "const t = document.querySelector('svg text');"
        "return [getComputedStyle(document.body).backgroundColor, getComputedStyle(t).fill]"
    )
    open_page(browser, pages["usual"], 1280, "light")
    light = browser.execute_script(read)
    open_page(browser, pages["usual"], 1280, "dark")
    dark = browser.execute_script(read)
    assert light[0] != dark[0]
    assert light[1] != dark[1]


def test_a_printed_page_shows_what_is_folded_on_screen(
    browser: Any, pages: dict[str, Path]
) -> None:
    open_page(browser, pages["usual"], 1280)
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
    open_page(browser, pages["hostile"], 1280)
    assert browser.execute_script("return document.scripts.length + document.images.length") == 0
    assert "<script>alert('x')</script>" in browser.execute_script(
        "return document.querySelector('h1').textContent"
    )
