"""What becomes of a connection through the forward proxy, from its judging to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from proxied import run
from test_egress import PUBLIC, Net, hello, talk

from offswitch.guard.policy.judging import Judge
from offswitch.guard.policy.policy import Pattern, Rule
from offswitch.guard.proxy import egress
from offswitch.guard.proxy.egress import Egress
from offswitch.guard.proxy.gate import Gate

GET = b"GET http://allowed.test/pub/a HTTP/1.1\r\n"
CONNECT = b"CONNECT allowed.test:443 HTTP/1.1\r\n\r\n"
ODD = b"CONNECT mzxw6ytboi4tq3dpkb2gk5dt.allowed.test:443 HTTP/1.1\r\n\r\n"


def notes(net: Net) -> list[dict[str, Any]]:
    return [one for one in net.supervisor.reports if one["type"] == "note"]


def judged_by(net: Net, *rules: Rule, level: Any = "observe") -> Net:
    net.gate = Gate(Judge(rules), net.supervisor)
    net.egress = Egress(net.gate, level=level, resolve=net._resolve, dial=net._dial)
    return net


def rule(verdict: Any, **changed: Any) -> Rule:
    return Rule(name="r", verdict=verdict, pattern=Pattern(kind="http", host=("*",)), **changed)


@pytest.mark.parametrize(
    "asked", [b"CONNECT allowed.test:80", b"GET http://allowed.test:443/pub/a", b"CONNECT a.test:0"]
)
def test_each_kind_of_request_has_its_own_ports(asked: bytes, tmp_path: Path) -> None:
    net = judged_by(Net(), rule("approve"))
    assert talk(net, tmp_path, asked + b" HTTP/1.1\r\n\r\n")[:12] in (
        b"HTTP/1.1 403",
        b"HTTP/1.1 400",
    )
    assert (net.asked, net.dialled) == ([], [])


@pytest.mark.parametrize(
    ("verdict", "changed"), [("terminate", {}), ("modify", {"set": (("a", 1),)}), ("reject", {})]
)
def test_only_an_approved_request_is_made(verdict: Any, changed: Any, tmp_path: Path) -> None:
    net = judged_by(Net(), rule(verdict, **changed))
    said = talk(net, tmp_path, GET + b"\r\n")
    assert said[:12] == (b"" if verdict == "terminate" else b"HTTP/1.1 403")
    assert net.asked == []
    assert (net.gate.closed != "") is (verdict == "terminate")


def test_a_name_that_carries_data_is_not_looked_up_where_the_policy_refuses_it(
    tmp_path: Path,
) -> None:
    net = judged_by(Net(), rule("approve"), level="freeze")
    assert talk(net, tmp_path, ODD).startswith(b"HTTP/1.1 403")
    assert net.asked == []
    (alarm,) = [one for one in net.supervisor.reports if one["type"] == "alarm"]
    assert alarm["level"] == "freeze"


@pytest.mark.parametrize("name", ["localhost", "db.internal", "intranet"])
def test_a_name_of_the_hosts_own_network_is_refused_whatever_it_resolves_to(
    name: str, tmp_path: Path
) -> None:
    net = judged_by(Net(), rule("approve"))
    said = talk(net, tmp_path, b"CONNECT %s:443 HTTP/1.1\r\n\r\n" % name.encode())
    assert said.startswith(b"HTTP/1.1 403")
    assert net.dialled == []
    assert notes(net)[-1]["fields"] == {"host": name, "addresses": [PUBLIC]}


def test_a_name_without_an_address_is_not_dialled(tmp_path: Path) -> None:
    net = Net()
    net.addresses = ()
    assert talk(net, tmp_path, CONNECT).startswith(b"HTTP/1.1 403")


def test_of_several_addresses_the_next_is_tried_and_of_none_it_is_told(tmp_path: Path) -> None:
    for good in (True, False):
        net = Net("1.1.1.1", PUBLIC)
        dial = net._dial

        async def half(address: str, port: int, good: bool = good, dial: Any = dial) -> Any:
            if address == "1.1.1.1" or not good:
                raise ConnectionRefusedError
            return await dial(address, port)

        net.egress = Egress(net.gate, resolve=net._resolve, dial=half)
        folder = tmp_path / str(good)
        folder.mkdir()
        said = talk(net, folder, GET + b"\r\n")
        assert said.startswith(b"HTTP/1.1 200" if good else b"HTTP/1.1 502")


def test_a_body_is_as_long_as_it_says_and_what_follows_it_goes_nowhere(tmp_path: Path) -> None:
    net = Net()
    asked = GET + b"Content-Length: 3\r\n\r\nabcGET /secret HTTP/1.1\r\n\r\n"
    assert talk(net, tmp_path, asked).endswith(b"ok")
    assert net.got.endswith(b"\r\n\r\nabc")
    (ended,) = notes(net)
    assert ended["what"] == "connection ended"
    assert ended["fields"] == {"host": "allowed.test", "sent": 3, "received": 40}


def without_name() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    ("first", "fine"),
    [(without_name(), True), (hello("sub.allowed.test"), False), (hello("xallowed.test"), False),
     (hello("test"), False)],
)  # fmt: skip
def test_the_name_inside_a_tunnel_is_that_very_one_or_none(
    first: bytes, fine: bool, tmp_path: Path
) -> None:
    net = Net()
    talk(net, tmp_path, CONNECT, then=first)
    assert net.got == (first if fine else b"")


def test_a_tunnel_whose_first_message_is_torn_sends_nothing(tmp_path: Path) -> None:
    net = Net()

    async def scenario() -> None:
        async with net.open(tmp_path) as near:
            reader, writer = await asyncio.open_unix_connection(near)
            writer.write(CONNECT)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(hello("allowed.test")[:50])
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()

    run(scenario())
    assert net.got == b""


@pytest.mark.parametrize("said", [b"", b"GET http", CONNECT, CONNECT + b"\x16\3\1"])
def test_who_says_nothing_holds_no_connection(
    said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress, "HEAD_S", 0.02)
    monkeypatch.setattr(egress, "HELLO_S", 0.02)
    net = Net()
    end = talk(net, tmp_path, said)
    assert end in (b"", b"HTTP/1.1 200 Connection established\r\n\r\n")
    assert net.egress._open == set()
    assert net.got == b""


def test_a_host_that_does_not_answer_is_waited_for_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress, "DIAL_S", 0.02)
    net = Net()

    async def silent(address: str, port: int) -> Any:
        await asyncio.Event().wait()

    net.egress = Egress(net.gate, resolve=net._resolve, dial=silent)
    assert talk(net, tmp_path, GET + b"\r\n").startswith(b"HTTP/1.1 502")


def test_a_head_that_is_too_long_is_answered(tmp_path: Path) -> None:
    net = Net()
    said = talk(net, tmp_path, GET + b"A: " + b"b" * 2**17 + b"\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 400")
    assert net.asked == []


def test_what_goes_through_keeps_the_pace_of_a_throttle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Net()
    counted: list[int] = []

    async def data(count: int) -> None:
        counted.append(count)

    monkeypatch.setattr(net.gate.pace, "data", data)
    talk(net, tmp_path, GET + b"Content-Length: 3\r\n\r\nabc")
    assert sum(counted) == 43


def test_a_gate_that_closes_ends_both_halves_of_a_connection(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def far(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(2**16)
        with contextlib.suppress(ConnectionError):
            while await reader.read(2**16):
                pass
        ended.set()
        writer.close()

    async def scenario() -> None:
        net = Net()
        net._far = far  # type: ignore[method-assign] # a host that never ends by itself
        async with net.open(tmp_path) as near:
            reader, writer = await asyncio.open_unix_connection(near)
            writer.write(CONNECT)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(hello("allowed.test"))
            while len(net.egress._open) < 2:
                await asyncio.sleep(0.002)
            net.gate.close("the run ends")
            await ended.wait()
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()

    run(scenario())


def _waiting(plug: socket.socket) -> int:
    try:
        return len(plug.recv(2**16, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return 0


def test_what_was_sent_is_told_whichever_side_ended_the_connection_and_how(tmp_path: Path) -> None:
    first = hello("allowed.test")

    async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(len(first) + 5) == first + b"later"
        writer.write(b"answer")
        await writer.drain()
        writer.close()

    async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined] # a stream's can
        with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as plug:
            while _waiting(plug) < len(first) + 5:
                await asyncio.sleep(0.002)
        writer.transport.abort()  # what lies unread makes it a reset

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == first + b"later"
        writer.write(b"answer")
        writer.close()

    async def scenario(net: Net, folder: Path, half: bool) -> None:
        async with net.open(folder) as near:
            reader, writer = await asyncio.open_unix_connection(near)
            writer.write(CONNECT)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(first)
            while not net.dialled:
                await asyncio.sleep(0.002)
            writer.write(b"later")
            if half:
                writer.write_eof()
            with contextlib.suppress(ConnectionError):
                await reader.read()
            while not notes(net):
                await asyncio.sleep(0.002)
            writer.close()

    for far, received in ((ends, 6), (breaks, 0), (waits, 6)):
        net, folder = Net(), tmp_path / far.__name__
        folder.mkdir()
        net._far = far  # type: ignore[method-assign] # each ends in its own way
        run(scenario(net, folder, far is waits))
        (ended,) = notes(net)
        assert ended["what"] == "connection ended"
        sent = len(first) + 5
        assert ended["fields"] == {"host": "allowed.test", "sent": sent, "received": received}
