"""The operator's page: a small server on loopback that shows runs and passes orders on.

It is not part of any run. It reads what lies in the runs' folders and asks their supervisors for
their status; orders go through the same door as those of `offswitch guard stop`. When it dies, or
hangs, or its browser does, nothing else changes.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any, final  # Any: values of a JSON object

from aiohttp import web

from offswitch.errors import GuardError
from offswitch.guard.supervisor.runs import RunEntry
from offswitch.guard.watch.access import HEADERS, Access
from offswitch.guard.watch.orders import give, read_order
from offswitch.guard.watch.page_data import page_data
from offswitch.guard.watch.watcher import Choose, Look, Watcher

__all__ = ["Page", "open_page", "page_app"]

ENDED_SHOWN = 12
"""Ended runs on the page, the newest; `offswitch guard status` lists all."""
FRESH_S = 0.4
"""A look younger than this serves every reader of the page."""
MOST_BYTES = 4096
"""Of an order."""
ASSETS = {"": ("page.html", "text/html"), "page.css": ("page.css", "text/css"),
          "page.js": ("page.js", "text/javascript")}  # fmt: skip
DENIED = (
    "This page belongs to the operator. Open the address that `offswitch guard page` printed; "
    "each start of it prints a new one.\n"
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@final
class Page:
    """What the handlers share."""

    def __init__(
        self, watcher: Watcher, access: Access, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.watcher, self.access, self._clock = watcher, access, clock
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")
        self._look: Look | None = None

    async def state(self, selected: str | None) -> dict[str, Any]:
        """What is so now, with one run in full."""
        async with self._lock:
            known = self._look is not None and any(run.id == selected for run in self._look.runs)
            if self._clock() - self._looked_at > FRESH_S or not (known or selected is None):
                choose = _shown_beside(selected)
                self._look = await asyncio.to_thread(self.watcher.look, choose)
                self._looked_at = self._clock()
            assert self._look is not None
            return page_data(self._look, selected)

    async def order(self, fields: object) -> dict[str, Any]:
        """What became of an order. Raises: GuardError when it is none."""
        order = read_order(fields, await asyncio.to_thread(self.watcher.entries))
        answer = await asyncio.to_thread(give, order)
        self._looked_at = float("-inf")
        return answer._asdict()


def _shown_beside(selected: str | None) -> Choose:
    """Every living run, the newest that ended, and the one that is looked at."""

    def choose(entries: tuple[RunEntry, ...]) -> list[RunEntry]:
        over = [entry.run.id for entry in entries if entry.condition not in _LIVING]
        left_out = {*over[:-ENDED_SHOWN]} - {selected}
        return [entry for entry in entries if entry.run.id not in left_out]

    return choose


_LIVING = ("starting", "running")
_PAGE = web.AppKey("page", Page)


def page_app(page: Page) -> web.Application:
    """The web application of a page."""
    app = web.Application(middlewares=[_guarded], client_max_size=MOST_BYTES)
    app[_PAGE] = page
    place = f"/{page.access.place}"
    app.router.add_get(place + "/", _asset)
    app.router.add_get(place + "/{name:page\\.(?:css|js)}", _asset)
    app.router.add_get(place + "/state", _state)
    app.router.add_post(place + "/order", _order)
    return app


async def open_page(watcher: Watcher, port: int, opened: Callable[[str], object]) -> None:
    """Serve the page on loopback until cancelled; `opened` is told its secret address.

    Raises:
        GuardError: the port cannot be listened on.
    """
    sock = _socket(port)
    page = Page(watcher, Access(sock.getsockname()[1]))
    # A log would hold the token.
    runner = web.AppRunner(page_app(page), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.SockSite(runner, sock).start()
        opened(page.access.address)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
        watcher.close()


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer has the headers, and nothing is answered but to the reader of this page."""
    try:
        answer = await _admitted(request, handler)
    except web.HTTPException as error:
        answer = web.Response(status=error.status, text=f"{error.reason}\n")
    answer.headers.update(HEADERS)
    return answer


async def _admitted(request: web.Request, handler: Handler) -> web.StreamResponse:
    access = request.app[_PAGE].access
    if problem := access.host_problem(request.headers):
        return web.Response(status=421, text=f"{problem}\n")
    if request.match_info.http_exception is not None:
        raise request.match_info.http_exception
    given = request.query.get("token")
    if given is not None and request.path == f"/{access.place}/" and access.has_token(given):
        # The token leaves the address bar at once; what stays is of no use without the cookie.
        return web.Response(
            status=303, headers={"Location": request.path, "Set-Cookie": access.cookie}
        )
    if not access.has_session(request.headers):
        return web.Response(status=403, text=DENIED)
    if request.method != "GET" and (problem := access.origin_problem(request.headers)):
        return web.Response(status=403, text=f"{problem}\n")
    return await handler(request)


async def _asset(request: web.Request) -> web.Response:
    name, kind = ASSETS[request.match_info.get("name", "")]
    text = files("offswitch.guard.watch").joinpath(name).read_text(encoding="utf-8")
    return web.Response(text=text, content_type=kind)


async def _state(request: web.Request) -> web.Response:
    return web.json_response(await request.app[_PAGE].state(request.query.get("run")))


async def _order(request: web.Request) -> web.Response:
    try:
        return web.json_response(await request.app[_PAGE].order(await request.json()))
    except (GuardError, ValueError, RecursionError) as problem:
        return web.json_response({"done": False, "text": str(problem)}, status=400)


def _socket(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
    except OSError as problem:
        sock.close()
        raise GuardError(
            f"cannot listen on 127.0.0.1:{port}: {problem.strerror}. Name another --port, or none."
        ) from problem
    return sock
