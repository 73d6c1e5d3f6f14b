from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proxied import RULES, Supervisor, run

from offswitch.guard.policy.judging import Judge
from offswitch.guard.proxy.addresses import MOST_PARENTS, NameWatch, is_public, plain_host
from offswitch.guard.proxy.client_hello import NotTlsError, server_name
from offswitch.guard.proxy.egress import Egress
from offswitch.guard.proxy.forwarding import RequestError, read_head
from offswitch.guard.proxy.gate import Gate

PUBLIC = "93.184.215.14"
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
HEADS = r"(GET|CONNECT) [ -~]{1,40} HTTP/1\.1(\r\n[ -~]{0,30}){0,3}"


def hello(host: str) -> bytes:
    """What a real client sends first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    made = TLS.wrap_bio(incoming, outgoing, server_hostname=host)
    with contextlib.suppress(ssl.SSLWantReadError):
        made.do_handshake()
    return outgoing.read()


class Net:
    """A host on the internet that answers whatever it gets, and the proxy before it."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses or (PUBLIC,)
        self.asked: list[tuple[str, int]] = []
        self.dialled: list[tuple[str, int]] = []
        self.got = b""
        self.supervisor = Supervisor()
        self.gate = Gate(Judge(RULES), self.supervisor)
        self.egress = Egress(self.gate, resolve=self._resolve, dial=self._dial)

    async def _resolve(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return list(self.addresses)

    async def _dial(self, address: str, port: int) -> Any:
        self.dialled.append((address, port))
        return await asyncio.open_unix_connection(self.path)

    async def _far(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.got += await reader.read(2**16)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    @contextlib.asynccontextmanager
    async def open(self, tmp_path: Any) -> AsyncIterator[str]:
        self.path = str(tmp_path / "far")
        async with (
            await asyncio.start_unix_server(self._far, self.path),
            await asyncio.start_unix_server(self.egress.serve, str(tmp_path / "near")),
        ):
            yield str(tmp_path / "near")


def talk(net: Net, tmp_path: Any, request: bytes, then: bytes = b"") -> bytes:
    said: list[bytes] = []

    async def scenario() -> None:
        async with net.open(tmp_path) as near:
            reader, writer = await asyncio.open_unix_connection(near)
            writer.write(request)
            if then:
                said.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(then)
            said.append(await reader.read())
            writer.close()

    run(scenario())
    return b"".join(said)


def test_an_allowed_request_goes_to_the_checked_address_as_it_was_judged(tmp_path):
    net = Net()
    said = talk(net, tmp_path, b"GET http://allowed.test/pub/a?q=1 HTTP/1.1\r\nHost: evil.test\r\n"
                               b"Proxy-Authorization: x\r\nX-Mine: 1\r\n\r\n")  # fmt: skip
    assert said.endswith(b"ok")
    assert net.dialled == [(PUBLIC, 80)]
    assert net.got == (b"GET /pub/a?q=1 HTTP/1.1\r\nHost: allowed.test\r\nConnection: close\r\n"
                       b"X-Mine: 1\r\n\r\n")  # fmt: skip
    assert net.supervisor.reports[0]["source"] == "executed"
    act = net.supervisor.reports[0]["act"]
    assert (act["host"], act["path"], act["arguments"]) == (
        "allowed.test",
        "/pub/a",
        {"query": "q=1"},
    )


def test_a_path_is_judged_and_sent_as_people_write_it(tmp_path):
    """What needs no spelling out is not: a rule about /pub/admin meets /pub/%61dmin."""
    net = Net()
    line = b"GET http://allowed.test/%70ub/%61%2Dmin%7e%20x HTTP/1.1\r\n\r\n"
    assert talk(net, tmp_path, line).endswith(b"ok")
    assert net.supervisor.reports[0]["act"]["path"] == "/pub/a-min~%20x"
    assert net.got.startswith(b"GET /pub/a-min~%20x HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "field",
    ["X-HTTP-Method-Override: DELETE", "x-http-method: DELETE", "X_HTTP_METHOD_OVERRIDE: DELETE",
     "X-Original-URL: /secret", "X-Rewrite-Url: /secret"],
)  # fmt: skip
def test_a_field_that_changes_what_is_asked_for_is_not_passed_on(field, tmp_path):
    net = Net()
    line = "GET http://allowed.test/pub/a HTTP/1.1\r\nX-Mine: 1\r\n"
    talk(net, tmp_path, f"{line}{field}\r\n\r\n".encode())
    assert b"X-Mine" in net.got
    assert field.partition(":")[0].encode() not in net.got


@pytest.mark.parametrize(
    "request_line",
    ["GET http://other.test/pub/a", "POST http://allowed.test/pub/a", "GET http://allowed.test/",
     "CONNECT other.test:443", "CONNECT allowed.test:22", "GET http://allowed.test:8080/pub/a",
     "CONNECT xallowed.test:443", "CONNECT allowed.test.evil.test:443"],
)  # fmt: skip
def test_what_no_rule_allows_is_refused_and_never_looked_up(request_line, tmp_path):
    net = Net()
    said = talk(net, tmp_path, request_line.encode() + b" HTTP/1.1\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 403")
    assert (net.asked, net.dialled) == ([], [])


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1",
     "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1",
     "2001::1", "255.255.255.255"],
)  # fmt: skip
def test_a_name_with_a_private_address_is_refused_after_the_look_up(address, tmp_path):
    net = Net(PUBLIC, address)  # one public address beside it does not help
    said = talk(net, tmp_path, b"CONNECT allowed.test:443 HTTP/1.1\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 403")
    assert net.dialled == []
    assert net.supervisor.reports[-1]["what"] == "private address refused"


def test_a_tunnel_opens_only_for_the_host_that_was_judged(tmp_path):
    connect = b"CONNECT allowed.test:443 HTTP/1.1\r\n\r\n"
    for i, (first, fine) in enumerate(
        [(hello("allowed.test"), True), (hello("evil.test"), False), (b"SSH-2.0-x\r\n", False)]
    ):
        net = Net()
        folder = tmp_path / str(i)
        folder.mkdir()
        said = talk(net, folder, connect, then=first)
        assert said.startswith(b"HTTP/1.1 200")
        assert (net.got == first) is fine
        assert said.endswith(b"ok") is fine
        assert fine or net.supervisor.reports[-1]["what"] == "tunnel refused"


def test_a_second_request_on_the_same_connection_goes_nowhere(tmp_path):
    net = Net()
    talk(net, tmp_path, b"GET http://allowed.test/pub/a HTTP/1.1\r\n\r\n"
                        b"GET /secret HTTP/1.1\r\nHost: allowed.test\r\n\r\n")  # fmt: skip
    assert b"/secret" not in net.got


@pytest.mark.parametrize(
    "head",
    ["GET /pub/a HTTP/1.1", "GET https://allowed.test/ HTTP/1.1", "GET ftp://a.test/ HTTP/1.1",
     "GET http://allowed.test/pub/../x HTTP/1.1", "GET http://allowed.test/pub/%2e%2e/x HTTP/1.1",
     "GET http://allowed.test/pub/%252e HTTP/1.1", "GET http://a@allowed.test/pub HTTP/1.1",
     "GET http://allowed.test/pub/..;/x HTTP/1.1", "GET http://allowed.test/pub/a;b HTTP/1.1",
     "GET http://allowed.test/pub//x HTTP/1.1", "GET http://allowed.test/pub%2fx HTTP/1.1",
     "GET http://allowed.test/pub/a HTTP/1.1\r\nTransfer_Encoding: chunked",
     "GET http://allowed.test/pub/..\\x HTTP/1.1", "CONNECT allowed.test:0 HTTP/1.1",
     "CONNECT 0x7f.1:443 HTTP/1.1", "CONNECT 2130706433:443 HTTP/1.1",
     "CONNECT bücher.test:443 HTTP/1.1",
     "GET http://allowed.test/pub/a HTTP/1.1\r\nTransfer-Encoding: chunked",
     "GET http://allowed.test/pub/a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
     "GET http://allowed.test/pub/a HTTP/1.1\r\nContent-Length: +1",
     "GET http://allowed.test/pub/a HTTP/1.1\r\nA: b\n c",
     "GET http://allowed.test/pub/a HTTP/1.1\r\nA : b"],
)  # fmt: skip
def test_a_head_that_two_servers_may_read_differently_is_refused(head):
    with pytest.raises(RequestError):
        read_head(head.encode() + b"\r\n\r\n")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80) | st.from_regex(HEADS, fullmatch=True).map(str.encode))
def test_no_head_crashes_and_every_host_that_is_read_is_plain(data):
    try:
        asking = read_head(data + b"\r\n\r\n")
    except RequestError:
        return
    assert plain_host(asking.host if ":" not in asking.host else f"[{asking.host}]") == asking.host


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 600), st.integers(0, 255))
def test_no_bytes_crash_the_reader_of_client_hellos(noise, at, byte):
    real = bytearray(hello("allowed.test"))
    real[at % len(real)] = byte
    for data in (noise, bytes(real), bytes(real[: at % len(real)])):
        with contextlib.suppress(NotTlsError):
            assert server_name(data) is None or isinstance(server_name(data), str)


def test_a_client_hello_in_pieces_is_waited_for():
    whole = hello("allowed.test")
    assert [server_name(whole[:n]) for n in (0, 3, 50, len(whole) - 1)] == [None] * 4
    assert server_name(whole) == "allowed.test"


@pytest.mark.parametrize(
    ("host", "odd"),
    [("pypi.org", False), ("files.pythonhosted.org", False), ("a1b2c3d4.cloudfront.net", False),
     ("x" * 50 + ".evil.test", True), ("mzxw6ytboi4tq3dpkb2gk5dt.evil.test", True),
     ("d111111abcdef8.cloudfront.net", False)],
)  # fmt: skip
def test_names_that_carry_data_are_seen_and_ordinary_ones_are_not(host, odd):
    assert bool(NameWatch().problem(host)) is odd


def test_many_names_below_one_parent_are_seen():
    watch = NameWatch()
    found = [watch.problem(f"n{i}.evil.test") for i in range(80)]
    assert not any(found[:60])
    assert all(found[60:])


def test_names_are_remembered_below_the_parents_asked_for_last_and_no_others():
    watch = NameWatch()
    for number in range(3 * MOST_PARENTS):
        assert not watch.problem(f"www.p{number}.test")
        if number < 60:
            assert not watch.problem(f"n{number}.evil.test")
        elif number % (MOST_PARENTS - 1) == 0:  # just often enough
            assert watch.problem(f"n{number}.evil.test")
    assert len(watch._below) == MOST_PARENTS
    assert not watch.problem("n.p0.test"), "forgotten, and as good as new"
    assert any(watch.problem(f"n{number}.late.test") for number in range(61))
    for number in range(200):
        watch.problem(f"m{number}.late.test")
    assert len(watch._below["late.test"]) == 61


def test_odd_names_raise_an_alarm(tmp_path):
    net = Net()
    host = b"mzxw6ytboi4tq3dpkb2gk5dt.allowed.test"
    talk(net, tmp_path, b"CONNECT " + host + b":443 HTTP/1.1\r\n\r\n", then=b"x")
    assert [one["detector"] for one in net.supervisor.reports if one["type"] == "alarm"] == [
        "dns-tunnel"
    ]


def test_public_addresses_are_public():
    assert all(is_public(one) for one in (PUBLIC, "1.1.1.1", "2606:4700::1111"))


def test_a_closed_gate_ends_connections_and_refuses_new_ones(tmp_path):
    async def scenario() -> None:
        net = Net()
        async with net.open(tmp_path) as near:
            reader, writer = await asyncio.open_unix_connection(near)
            writer.write(b"CONNECT allowed.test:443 HTTP/1.1\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            net.gate.close("test")
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            reader, writer = await asyncio.open_unix_connection(near)
            writer.write(b"CONNECT allowed.test:443 HTTP/1.1\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 503")
            writer.close()

    run(scenario())
