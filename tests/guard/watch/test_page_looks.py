"""When the page looks again, at which runs, and what its server gives away."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from test_page_words import ALIVE, OVER

from offswitch.errors import GuardError
from offswitch.guard.supervisor.runs import Run, RunEntry
from offswitch.guard.watch import page as pages
from offswitch.guard.watch.access import Access
from offswitch.guard.watch.orders import Answer
from offswitch.guard.watch.page import Page, open_page
from offswitch.guard.watch.watcher import Choose, Look

STARTING, *OVERS = [f"run-{number:02}" for number in range(31)]


def entries() -> tuple[RunEntry, ...]:
    """One that starts, thirty that are over, and one that runs; oldest name first."""
    conditions = ["starting", *(["ended", "killed", "dead"] * 10), "running"]
    names = [STARTING, *OVERS, "z-run"]
    return tuple(
        RunEntry(Run(name, Path("/x")), condition, {})  # type: ignore[arg-type] # of the list above
        for name, condition in zip(names, conditions, strict=True)
    )


class Watched:
    """A watcher that counts its looks."""

    def __init__(self) -> None:
        self.looks: list[list[str]] = []

    def look(self, choose: Choose) -> Look:
        chosen = [entry.run.id for entry in choose(entries())]
        self.looks.append(chosen)
        runs = tuple(replace(ALIVE if one == "z-run" else OVER, id=one) for one in chosen)
        return Look(runs=runs, conditions={}, canary=None, canary_age_s=None, problem="")

    def entries(self) -> tuple[RunEntry, ...]:
        return entries()

    def close(self) -> None:
        self.looks.append(["closed"])


def test_every_living_run_the_newest_that_ended_and_the_one_looked_at_are_shown() -> None:
    watched: Any = Watched()
    page = Page(watched, Access(1), lambda: 0.0)
    newest = OVERS[-12:]
    for selected, beside in ((None, []), ("run-03", ["run-03"]), ("gone", [])):
        asyncio.run(page.state(selected))
        assert watched.looks[-1] == [STARTING, *beside, *newest, "z-run"]


def test_a_look_serves_every_reader_for_a_moment_and_an_order_ends_that_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched: Any = Watched()
    now = [0.0]
    page = Page(watched, Access(1), lambda: now[0])
    given: list[Any] = []

    def give(order: Any) -> Answer:
        given.append(order)
        return Answer(True, "done")

    monkeypatch.setattr(pages, "give", give)

    async def scenario() -> None:
        await asyncio.gather(*(page.state(None) for _ in range(5)))
        await page.state("z-run")
        assert len(watched.looks) == 1
        shown = await page.state("run-03")
        assert (len(watched.looks), shown["run"]["id"]) == (2, "run-03")
        now[0] = 0.5
        await page.state(None)
        assert len(watched.looks) == 3
        assert (await page.order({"run": "z-run", "word": "pause"}))["done"] is True
        await page.state(None)
        assert len(watched.looks) == 4

    asyncio.run(scenario())
    assert [(one.run.id, one.word) for one in given] == [("z-run", "pause")]


def test_the_page_listens_on_loopback_alone_logs_no_secret_and_lets_go_of_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched: Any = Watched()
    told: list[str] = []

    async def scenario() -> None:
        task = asyncio.ensure_future(open_page(watched, 0, told.append))
        while not told:
            await asyncio.sleep(0.002)
        port = int(told[0].split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        place = told[0].split(f":{port}")[1]
        writer.write(f"GET {place} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        assert b"303" in await reader.readline()
        writer.close()
        with Path("/proc/net/tcp").open(encoding="ascii") as file:
            listening = [line.split()[1] for line in file if line.split()[3] == "0A"]
        assert [one for one in listening if one.endswith(f":{port:04X}")] == [
            f"0100007F:{port:04X}"
        ]
        with pytest.raises(GuardError, match=f"127.0.0.1:{port}"):
            pages._socket(port)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with socket.socket() as late:
            assert late.connect_ex(("127.0.0.1", port)) != 0

    with caplog.at_level(logging.DEBUG):
        asyncio.run(scenario())
    assert watched.looks[-1] == ["closed"]
    assert told[0].rpartition("=")[2] not in caplog.text
