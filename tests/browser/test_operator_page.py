"""The operator's page in a real browser, over real runs: read, driven by keyboard, and killed."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pages import asked_for

sys.path.append(str(Path(__file__).parents[1] / "guard" / "watch"))

from made import HOSTILE, OFFSWITCH, ended_run, living_run, offswitch

from offswitch.guard.ledger.reading import read_records
from offswitch.guard.stop.processes import boot_id
from offswitch.guard.supervisor.control import Request
from offswitch.guard.supervisor.door import Door
from offswitch.guard.supervisor.runs import Run, create_run, process_note, read_state, write_state

pytestmark = pytest.mark.slow

CONTRAST = """
const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => {
  v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
  return .2126 * r + .7152 * g + .0722 * b; };
const ground = e => { for (; e; e = e.parentElement) {
  const c = getComputedStyle(e).backgroundColor;
  if (!/, 0\\)$|transparent/.test(c)) return c; } return 'rgb(255,255,255)'; };
return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility()
  && !e.disabled && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
 .map(e => { const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
  return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.textContent.slice(0, 40)]; })
 .filter(([ratio]) => ratio < 4.5)
"""
"""Words whose contrast is below what WCAG 2.2 asks at level AA."""


@contextlib.contextmanager
def page(state: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`offswitch guard page`, its address and its process."""
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    with subprocess.Popen(
        [*OFFSWITCH, "guard", "page"], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def open_at(browser: Any, address: str, width: int = 1280, scheme: str = "light") -> None:
    browser.get("about:blank")  # an earlier page would go on asking for what is no more
    for kind in ("performance", "browser"):
        browser.get_log(kind)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(address)


def text_of(browser: Any, name: str) -> str:
    return str(browser.execute_script(f"return document.getElementById('{name}').textContent"))


def wait(browser: Any, script: str, seconds: float = 60) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, seconds, 0.05).until(lambda one: one.execute_script(f"return {script}"))


def wait_state(browser: Any, words: str) -> None:
    wait(browser, f"document.getElementById('state').textContent.includes('{words}')")


def press(browser: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    chain = ActionChains(browser)
    for key in keys:
        chain.send_keys(key)
    chain.perform()


def focused(browser: Any) -> str:
    return str(browser.execute_script("return document.activeElement.id"))


def tab_to(browser: Any, name: str) -> None:
    """Press Tab until the element has the focus; it must be seen that it has."""
    for _ in range(30):
        press(browser, "\ue004")
        if focused(browser) == name:
            shown = "return getComputedStyle(document.activeElement).outlineStyle"
            assert browser.execute_script(shown) == "solid"
            return
    pytest.fail(f"no number of tabs leads to {name}")


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page that shows a run that ended."""
    state = tmp_path_factory.mktemp("state")
    ended_run(state / "offswitch" / "runs")
    with page(state) as (address, _):
        yield address


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_asks_nobody_else_says_nothing_to_the_console_fits_and_can_be_read(
    browser: Any, over: str, width: int, scheme: str
) -> None:
    open_at(browser, over, width, scheme)
    wait_state(browser, "the tree was verified empty")
    assert {urlsplit(url).netloc for url in asked_for(browser)} == {urlsplit(over).netloc}
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script(CONTRAST) == []
    assert "token" not in browser.current_url


def test_light_and_dark_differ(browser: Any, over: str) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        open_at(browser, over, scheme=scheme)
        read = "return getComputedStyle(document.body).backgroundColor"
        colours.add(browser.execute_script(read))
    assert len(colours) == 2


def test_what_an_agent_called_a_file_is_only_ever_read(browser: Any, over: str) -> None:
    open_at(browser, over)
    wait_state(browser, "ended")
    assert browser.execute_script("return document.images.length") == 0
    evidence = text_of(browser, "evidence")
    assert HOSTILE.partition(" \u202e")[0] in evidence
    assert "\u202e" not in browser.execute_script("return document.body.textContent")
    for number in ("#2", "#3", "#5", "#8"):
        assert number in evidence
    assert "clear-death-signal" in text_of(browser, "holds")
    disabled = "return ['pause', 'resume', 'stop'].map(n => document.getElementById(n).disabled)"
    assert browser.execute_script(disabled) == [True, True, True]


def test_a_stranger_sees_nothing(browser: Any, over: str) -> None:
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    open_at(browser, over.partition("?")[0])
    assert "belongs to the operator" in browser.find_element("tag name", "body").text
    assert "careful" not in browser.page_source


def operator_words(run: Run) -> list[str]:
    return [
        str(record.body["order"])
        for record in read_records(run.folder / "ledger.jsonl")
        if record.body.get("what") == "operator"
    ]


def test_a_run_is_paused_resumed_and_stopped_by_keyboard_alone(
    browser: Any, open_folder: Path
) -> None:
    with living_run(open_folder) as run, page(open_folder / "state") as (address, _):
        open_at(browser, address)
        wait_state(browser, "running at level observe")
        tab_to(browser, "pause")
        press(browser, "\ue007")
        assert focused(browser) == "cancel", "the harmless answer comes first"
        tab_to(browser, "go")
        press(browser, "\ue007")
        wait_state(browser, "paused")
        tab_to(browser, "resume")
        press(browser, " ")
        press(browser, "\ue004", "\ue007")
        wait_state(browser, "running")
        tab_to(browser, "stop")
        press(browser, "\ue007", "\ue00c")
        assert not browser.execute_script("return document.getElementById('confirm').open")
        assert focused(browser) == "stop", "where it came from"
        assert operator_words(run) == ["pause", "resume"], "Escape gives no order"
        press(browser, "\ue007")
        tab_to(browser, "go")
        press(browser, "\ue007")
        wait(browser, "document.getElementById('answer').textContent.includes('verified empty')")
        wait_state(browser, "ended: operator")
        assert browser.get_log("browser") == []
        assert read_state(run, "result.json")["verified"] is True
        assert operator_words(run) == ["pause", "resume", "stop"]


@contextlib.contextmanager
def asking(state: Path, asked: list[dict[str, Any]]) -> Iterator[list[Request]]:
    """A living run whose supervisor's door asks about these; the answers it was given."""
    run = create_run("asks", state / "offswitch" / "runs")
    here = process_note(os.getpid())
    write_state(run, {"boot": boot_id(), "supervisor": here, "outer": here, "init": None})
    door, given, over = Door(run), list[Request](), threading.Event()

    def reply(request: Request) -> dict[str, Any]:
        if request.word == "answer":
            given.append(request)
            asked[:] = [one for one in asked if one["number"] != request.number]
        return {"ok": True, "phase": "running", "level": "ask", "waiting": asked}

    def serve() -> None:
        while not over.is_set():
            for sock in select.select(door.sockets(), [], [], 0.05)[0]:
                door.serve(sock, reply)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield given
    finally:
        over.set()
        thread.join()
        door.close()


def test_what_waits_is_shown_as_it_was_written_approved_after_a_second_look_and_rejected(
    browser: Any, tmp_path: Path
) -> None:
    asked = [
        {"number": n, "asked": f"proposed shell {HOSTILE}", "why": "asks", "rule": "r", "left_s": 9}
        for n in (7, 8)
    ]
    with asking(tmp_path, asked) as given, page(tmp_path) as (address, _):
        open_at(browser, address)
        wait(browser, "document.querySelectorAll('#waiting li').length === 2")
        assert "\\u202etxt.exe\\x1b[2J" in text_of(browser, "waiting")
        button = "document.querySelector('#waiting [aria-label=\"{}\"]').click()"
        browser.execute_script(button.format("Approve number 7"))
        assert given == []
        assert "proposed shell" in text_of(browser, "confirm-text")
        browser.execute_script("document.getElementById('go').click()")
        wait(browser, "document.querySelectorAll('#waiting li').length === 1")
        browser.execute_script(button.format("Reject number 8"))
        wait(browser, "document.getElementById('waiting-box').hidden")
        assert [(one.number, one.allow) for one in given] == [(7, True), (8, False)]
        assert browser.get_log("browser") == []


def test_the_pages_death_changes_nothing_and_is_told(browser: Any, open_folder: Path) -> None:
    state = open_folder / "state"
    with living_run(open_folder) as run, page(state) as (address, process):
        open_at(browser, address)
        wait_state(browser, "running at level observe")
        before = len(read_records(run.folder / "ledger.jsonl"))
        process.kill()
        process.wait()
        wait(browser, "!document.getElementById('lost').hidden")
        assert "offswitch guard stop alive" in text_of(browser, "lost")
        assert browser.execute_script("return document.getElementById('stop').disabled")
        status = json.loads(offswitch(state, "guard", "status", "alive", "--json").stdout)
        assert (status["phase"], status["watchdog"]) == ("running", "beating")
        assert len(read_records(run.folder / "ledger.jsonl")) == before
        stopped = offswitch(state, "guard", "stop", "--now", "alive")
        assert (stopped.returncode, "verified empty" in stopped.stdout) == (0, True)
