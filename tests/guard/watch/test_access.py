"""Who may see the page, and who may give orders on it: asked over a real socket."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from made import ended_run

from offswitch.errors import GuardError
from offswitch.guard.supervisor.control import WORDS as REQUESTS
from offswitch.guard.supervisor.runs import list_runs
from offswitch.guard.watch.access import Access
from offswitch.guard.watch.orders import WORDS, read_order
from offswitch.guard.watch.page import open_page
from offswitch.guard.watch.watcher import Watcher


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


class Site:
    """A page, its address, and a client without any manners."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.port, self.place = parts.port, parts.path
        self.token = parts.query.removeprefix("token=")
        self.host = f"127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body or None, {"Host": self.host, **named})
        answer = connection.getresponse()
        found = Reply(answer.status, dict(answer.getheaders()), answer.read().decode())
        connection.close()
        return found

    def cookie(self) -> str:
        reply = self.ask(f"{self.place}?token={self.token}")
        return reply.headers["Set-Cookie"].partition(";")[0]

    def order(self, run: str, word: str, **headers: str) -> Reply:
        usual = {"Cookie": self.cookie(), "Origin": f"http://{self.host}",
                 "Content_Type": "application/json"}  # fmt: skip
        given = {name: value for name, value in {**usual, **headers}.items() if value}
        body = json.dumps({"run": run, "word": word})
        return self.ask(f"{self.place}order", "POST", body, **given)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("state") / "runs"
    ended_run(folder)
    told, ready, loop = list[str](), threading.Event(), asyncio.new_event_loop()

    def opened(address: str) -> None:
        told.append(address)
        ready.set()

    task = loop.create_task(open_page(Watcher(folder), 0, opened))
    thread = threading.Thread(target=_run, args=(loop, task))
    thread.start()
    assert ready.wait(60)
    yield Site(told[0])
    loop.call_soon_threadsafe(task.cancel)
    thread.join(60)


def _run(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        loop.close()


def test_the_token_is_exchanged_for_a_cookie_and_leaves_the_address(site: Site) -> None:
    reply = site.ask(f"{site.place}?token={site.token}")
    assert (reply.status, reply.headers["Location"]) == (303, site.place)
    cookie = reply.headers["Set-Cookie"]
    assert site.token not in cookie
    assert cookie.split("; ")[1:] == [f"Path={site.place}", "HttpOnly", "SameSite=Strict"]
    page = site.ask(site.place, Cookie=site.cookie())
    assert page.status == 200
    assert "Guarded runs" in page.body


@pytest.mark.parametrize("path", ["", "state", "page.js", "page.css", "state?run=over"])
@pytest.mark.parametrize("cookie", ["", "offswitch=", "offswitch=wrong", "other=x; offswitch"])
def test_nothing_is_shown_without_the_cookie(site: Site, path: str, cookie: str) -> None:
    reply = site.ask(site.place + path, Cookie=cookie)
    assert reply.status == 403
    assert "over" not in reply.body


@pytest.mark.parametrize("token", ["", "wrong", "é", "%FF"])
def test_a_wrong_token_gives_no_cookie(site: Site, token: str) -> None:
    reply = site.ask(f"{site.place}?token={token.encode('utf-8').hex() if token == 'é' else token}")
    assert reply.status == 403
    assert "Set-Cookie" not in reply.headers


def test_the_token_opens_nothing_but_the_page_itself(site: Site) -> None:
    assert site.ask(f"{site.place}state?token={site.token}").status == 403
    body = json.dumps({"run": "over", "word": "stop"})
    origin = f"http://{site.host}"
    reply = site.ask(
        f"{site.place}order?token={site.token}", "POST", body, Origin=origin,
        Content_Type="application/json",
    )  # fmt: skip
    assert reply.status == 403


def test_outside_its_own_path_nobody_finds_anything(site: Site) -> None:
    for path in ("/", f"/?token={site.token}", "/state", "/wrong/state", f"{site.place}../state"):
        assert site.ask(path, Cookie=site.cookie()).status == 404
    assert site.ask(f"{site.place}page.py", Cookie=site.cookie()).status == 404


def test_the_cookies_value_under_another_name_opens_nothing(site: Site) -> None:
    value = site.cookie().partition("=")[2]
    for cookie in (f"other={value}", value, f"offswitch2={value}", f"offswitch={value[:-1]}"):
        assert site.ask(site.place, Cookie=cookie).status == 403


def test_a_cookie_of_the_same_name_from_another_local_server_does_not_lock_the_reader_out(
    site: Site,
) -> None:
    for cookie in (f"{site.cookie()}; offswitch=tossed", f"offswitch=tossed; {site.cookie()}"):
        assert site.ask(f"{site.place}state", Cookie=cookie).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1.x:{port}",
        "",
        "localhost.localdomain:{port}",
        ":{port}",
    ],
)
def test_a_foreign_name_that_resolves_here_is_turned_away(site: Site, host: str) -> None:
    reply = site.ask(site.place, Cookie=site.cookie(), Host=host.format(port=site.port))
    assert reply.status == 421
    assert "over" not in reply.body


@pytest.mark.parametrize("host", ["localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"])
def test_loopbacks_own_names_are_answered(site: Site, host: str) -> None:
    host = host.format(port=site.port)
    assert site.ask(f"{site.place}state", Cookie=site.cookie(), Host=host).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": ""},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://{host}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "text/plain; a=application/json"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Cookie": "offswitch=wrong"},
    ],
)
def test_an_order_from_elsewhere_is_refused(site: Site, headers: dict[str, str]) -> None:
    headers = {name: value.format(host=site.host) for name, value in headers.items()}
    reply = site.order("over", "stop", **headers)
    assert reply.status == 403


def test_an_order_from_the_page_itself_is_given(site: Site) -> None:
    reply = site.order("over", "stop", Sec_Fetch_Site="same-origin")
    assert reply.status == 200
    assert json.loads(reply.body) == {"done": True, "text": "It had ended before."}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"run": "over", "word": "renew"}', "unknown order 'renew'"),
        ('{"run": "ove", "word": "stop"}', "Did you mean 'over'"),
        ('{"run": "../over", "word": "stop"}', "unknown run"),
        ('{"run": "over"}', "run and word"),
        ('{"run": "over", "word": "stop", "now": true}', "run and word"),
        ("[]", "run and word"),
        ("[" * 4000, "recursion"),
        ("{", "Expecting"),
    ],
)
def test_an_order_that_is_none_is_told(site: Site, body: str, words: str) -> None:
    reply = site.ask(
        f"{site.place}order", "POST", body, Cookie=site.cookie(), Origin=f"http://{site.host}",
        Content_Type="application/json",
    )  # fmt: skip
    assert reply.status == 400
    assert words in json.loads(reply.body)["text"]


def test_an_order_is_posted_and_nothing_else(site: Site) -> None:
    for method in ("GET", "PUT", "DELETE"):
        reply = site.ask(
            f"{site.place}order", method, '{"run": "over", "word": "stop"}', Cookie=site.cookie(),
            Origin=f"http://{site.host}", Content_Type="application/json",
        )  # fmt: skip
        assert reply.status == 405


def test_an_order_longer_than_any_is_refused(site: Site) -> None:
    assert site.order("x" * 5000, "stop").status == 413


POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'",
    "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'", "trusted-types": "'none'",
}  # fmt: skip
FORBIDS = {
    "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin", "Server": "offswitch",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}  # fmt: skip


def test_every_answer_forbids_scripts_frames_and_forms_from_elsewhere(site: Site) -> None:
    cookie = site.cookie()
    for path, method in (("", "GET"), ("state", "GET"), ("nothing", "GET"), ("order", "POST")):
        for given in (cookie, "offswitch=wrong"):
            reply = site.ask(site.place + path, method, Cookie=given)
            policy = reply.headers["Content-Security-Policy"]
            assert dict(part.split(" ", 1) for part in policy.split("; ")) == POLICY
            assert FORBIDS.items() <= reply.headers.items()


def test_the_page_brings_everything_and_has_nothing_inline(site: Site) -> None:
    text = site.ask(site.place, Cookie=site.cookie()).body
    assert "<style" not in text
    assert " style=" not in text
    assert " on" not in "".join(part.split(">")[0] for part in text.split("<"))
    assert text.count("<script") == text.count('<script src="page.js"') == 1
    for name in ("page.css", "page.js"):
        asset = site.ask(site.place + name, Cookie=site.cookie()).body
        made_of_text = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\("
        assert not re.search(rf"{made_of_text}|https?:|@import|url\(", asset), name


def test_the_page_shows_the_record_numbers_of_the_evidence(site: Site) -> None:
    data = json.loads(site.ask(f"{site.place}state?run=over", Cookie=site.cookie()).body)
    assert [one["number"] for one in data["run"]["evidence_list"]] == [8, 5, 3, 2]
    assert data["run"]["can"] == []
    assert data["run"]["holds"]["open"] == ["clear-death-signal"]
    assert "\u202e" not in json.dumps(data, ensure_ascii=False)


def test_a_run_that_is_unknown_shows_none(site: Site) -> None:
    data = json.loads(site.ask(f"{site.place}state?run=none", Cookie=site.cookie()).body)
    assert data["run"] is None
    assert [one["id"] for one in data["runs"]] == ["over"]


def test_two_pages_share_no_secret_and_show_none_in_their_text() -> None:
    one, other = Access(1), Access(1)
    for name in ("token", "session", "place"):
        assert getattr(one, name) != getattr(other, name)
        assert len(getattr(one, name)) == (22 if name == "place" else 43)
        assert getattr(one, name) not in repr(one)


def test_the_page_can_do_nothing_that_the_operators_door_cannot(tmp_path: Path) -> None:
    assert {word.split()[0] for word in WORDS} - {"approve", "reject"} < set(REQUESTS)
    ended_run(tmp_path)
    for fields in (
        {"word": "approve"},
        {"word": "reject", "number": -1},
        {"word": "stop", "number": 1},
        {"word": "approve", "number": True},
    ):
        with pytest.raises(GuardError, match="number is"):
            read_order({"run": "over", **fields}, list_runs(tmp_path))
    assert (
        read_order({"run": "over", "word": "reject", "number": 7}, list_runs(tmp_path)).number == 7
    )
    with pytest.raises(GuardError):
        read_order({"run": "over", "word": "kill"}, list_runs(tmp_path))
