"""The page of a prediction in a real browser: it shows, it fits, and nothing leaves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pages import OVERLAPPING, UNFOLD, asked_for, open_page, samples

from offswitch.report.prediction_html import write_prediction_html

pytestmark = pytest.mark.slow

WIDTHS = (1280, 400)
NAMES = ("usual", "hostile", "interrupted", "no-map")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made, folder = samples("sample_prediction"), tmp_path_factory.mktemp("pages")
    report = made.sample_prediction()
    reports = {
        "usual": report,
        "hostile": made.hostile(report),
        "interrupted": made.interrupted(report),
        "no-map": made.sample_prediction(grid=False),
    }
    for name, one in reports.items():
        write_prediction_html(one, folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in reports}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_fetched_the_console_is_silent_and_nothing_scrolls_sideways(
    browser: Any, pages: dict[str, Path], name: str, width: int
) -> None:
    open_page(browser, pages[name], width)
    browser.execute_script(UNFOLD)
    asked = asked_for(browser)
    assert [url for url in asked if urlsplit(url).scheme != "data"] == [pages[name].as_uri()]
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("usual", ["power-map", "optimality", "power-discount"]),
        ("interrupted", ["power-map"]),
        ("no-map", ["power-states", "optimality", "power-discount"]),
    ],
)
@pytest.mark.parametrize("width", WIDTHS)
def test_all_figures_show_none_is_cut_and_no_words_overlap(
    browser: Any, pages: dict[str, Path], name: str, expected: list[str], width: int
) -> None:
    open_page(browser, pages[name], width)
    figures = browser.execute_script(
        "return [...document.querySelectorAll('svg')].map(s => {"
        " const r = s.getBoundingClientRect();"
        "return [s.dataset.figure, r.width, r.height, r.left, r.right,"
        " [...s.querySelectorAll('text')].filter(t => {const b = t.getBoundingClientRect();"
        " return b.left < r.left - 1 || b.right > r.right + 1}).map(t => t.textContent)]})"
    )
    assert [figure[0] for figure in figures] == expected
    for label, wide, high, left, right, cut in figures:
        assert wide > 250, label
        assert high > 150, label
        assert left >= 0, label
        assert right <= width, label
        assert cut == [], label
    assert browser.execute_script(OVERLAPPING) == []


def test_dark_mode_recolours_the_page_and_its_figures_but_not_the_cells_of_the_map(
    browser: Any, pages: dict[str, Path]
) -> None:
    read = (
        "const f = n => document.querySelector(`svg[data-figure=${n}] text`);"
        "const cells = [...document.querySelectorAll('svg[data-figure=power-map] text')]"
        " .filter(t => /^0\\.\\d{3}$/.test(t.textContent.trim()));"
        "return [getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(f('optimality')).fill, getComputedStyle(cells[0]).fill, cells.length]"
    )
    open_page(browser, pages["usual"], 1280, "light")
    light = browser.execute_script(read)
    open_page(browser, pages["usual"], 1280, "dark")
    dark = browser.execute_script(read)
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    assert light[2] == dark[2]
    assert light[3] == 10


def test_a_script_in_a_name_is_only_ever_read(browser: Any, pages: dict[str, Path]) -> None:
    open_page(browser, pages["hostile"], 1280)
    assert browser.execute_script("return document.scripts.length + document.images.length") == 0
    assert "<script>alert('x')</script>" in browser.execute_script(
        "return document.querySelector('h1').textContent"
    )
