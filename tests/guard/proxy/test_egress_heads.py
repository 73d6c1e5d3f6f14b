"""Heads, names and first messages of the forward proxy, one trick at a time."""

from __future__ import annotations

import itertools
import string

import pytest

from offswitch.guard.proxy.addresses import (
    NameWatch,
    host_of,
    is_own_name,
    is_public,
    plain_host,
)
from offswitch.guard.proxy.client_hello import NotTlsError, server_name
from offswitch.guard.proxy.forwarding import RequestError, read_head

PLAIN = (string.ascii_letters + string.digits + "-._~").encode()
TWO_WAYS = b"/\\%;\0"
LONG = ".".join(["a" * 49] * 5)


def head(path: str = "/pub/a", *fields: str) -> bytes:
    lines = (f"GET http://allowed.test{path} HTTP/1.1", *fields)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


@pytest.mark.parametrize("spelled", ["%{:02x}", "%{:02X}"])
def test_of_a_path_only_what_needs_it_is_spelled_out_and_no_border_is(spelled: str) -> None:
    for byte in range(256):
        path = f"/pub/a{spelled.format(byte)}b"
        if byte in TWO_WAYS:
            with pytest.raises(RequestError):
                read_head(head(path))
        else:
            plain = f"/pub/a{chr(byte)}b" if byte in PLAIN else path
            assert read_head(head(path)).path == plain


@pytest.mark.parametrize(
    "asked",
    [head("/pub/a\\b"),
     head("/pub/./x"), head("/pub/%2e/x"), head("/."), head("/.."), head("/pub/%2E."),
     head("/pub/a", *["A: b"] * 201), head("/pub/a", "A: b\0c"), head("/pub/a", "A: b\nC: d"),
     head("/pub/a", "A: b\rC: d"), head("/pub/a", "A B: c"), head("/pub/a", ": c"),
     head("/pub/a", "A"), head("/pub/a", "Content_Length: 1", "Content-Length: 2"),
     head("/pub/a", "Content-Length: "), head("/pub/a", "Content-Length: " + "1" * 16),
     b"GET http://allowed.test/ HTTP/2.0\r\n\r\n", b"GET http://allowed.test/ HTTP/1.10\r\n\r\n",
     b"GET http://allowed.test/\r\n\r\n", b"get http://allowed.test/ HTTP/1.1\r\n\r\n",
     b"GET  http://allowed.test/ HTTP/1.1\r\n\r\n", b"\r\nGET http://a.test/ HTTP/1.1\r\n\r\n",
     b"GET http://allowed.test:65536/ HTTP/1.1\r\n\r\n", b"CONNECT a.test:99999 HTTP/1.1\r\n\r\n",
     b"CONNECT a.test:443/x HTTP/1.1\r\n\r\n", b"CONNECT a@b.test:443 HTTP/1.1\r\n\r\n",
     b"GET http://a.test#@b.test/ HTTP/1.1\r\n\r\n",
     b"GET http://a.test\\@b.test/ HTTP/1.1\r\n\r\n"],
)  # fmt: skip
def test_a_head_with_a_trick_in_it_is_refused(asked: bytes) -> None:
    with pytest.raises(RequestError):
        read_head(asked)


@pytest.mark.parametrize(
    "name",
    ["Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Host", "Proxy-Connection",
     "Proxy-Authorization", "Proxy-Authenticate", "Expect", "X-Method-Override", "x_rewrite_url"],
)  # fmt: skip
def test_what_is_for_the_proxy_alone_stays_with_it(name: str) -> None:
    sent = read_head(head("/pub/a", f"{name}: mine", "X-Mine: kept")).head
    assert b"mine" not in sent
    assert b"X-Mine: kept\r\n" in sent


@pytest.mark.parametrize(
    ("place", "host", "named"),
    [("[2606:4700::1]", "2606:4700::1", "[2606:4700::1]"), ("A.Test.", "a.test", "a.test"),
     ("[2606:4700::1]:8080", "2606:4700::1", "[2606:4700::1]:8080"),
     ("a.test:8080", "a.test", "a.test:8080"), ("a.test:80", "a.test", "a.test")],
)  # fmt: skip
def test_a_host_is_told_its_own_name_as_it_was_judged(place: str, host: str, named: str) -> None:
    asking = read_head(f"GET http://{place}/b?c HTTP/1.0\r\nContent-Length: 3\r\n\r\n".encode())
    assert (asking.host, asking.query, asking.length) == (host, "c", 3)
    assert asking.head.startswith(f"GET /b?c HTTP/1.1\r\nHost: {named}\r\nConn".encode())


@pytest.mark.parametrize(
    ("text", "host"),
    [("a.test.", "a.test"), ("a.test..", None), ("a..test", None), ("", None), (".", None),
     ("-a.test", None), ("a-.test", None), (f"{'a' * 63}.test", f"{'a' * 63}.test"),
     (f"{'a' * 64}.test", None), (f"{LONG}.abc", f"{LONG}.abc"), (f"{LONG}.abcd", None),
     ("[1.2.3.4]", None), ("[::1", None),
     ("1.2.3.4", "1.2.3.4"), ("1.2.3", None), ("0x7f.0x1", None), ("a.0x", None), ("a.7", None),
     ("a b.test", None), ("a.test\n", None), ("a/b.test", None), ("a_b.test", "a_b.test"),
     ("[::FFFF]", "::ffff"), ("[v1.a]", None), ("[2606:4700::1%1]", None),
     ("[2606:4700::1%.ours.test]", None)],
)  # fmt: skip
def test_a_host_has_one_plain_form_or_none(text: str, host: str | None) -> None:
    assert plain_host(text) == host


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://A.Test/x", "a.test"), ("HTTP://a.test.", "a.test"),
     ("https://a.test:8443", "a.test"),
     ("https://a.test?b@c", "a.test"), ("https://a.test#@c", "a.test"),
     ("https://[2606:4700::1]:443/", "2606:4700::1"), ("http://127.0.0.1/", "127.0.0.1"),
     ("https://a.test/\\@b.test", "a.test"),
     ("https://].test", None), ("https://[::1", None), ("https://[a]/", None), ("https://", None),
     ("https://a.test\\@b.test/", None), ("https://u@b.test/", None), ("https://a.test:x/", None),
     ("https://a.test\t.evil/", None), (" https://a.test/", None), ("https:a.test/", None),
     ("https:/a.test/", None), ("https:///a.test/", None), ("ftp://a.test/", None),
     ("//a.test/", None), ("https://a%2etest/", None), ("https://a.test:1:2/", None),
     ("https://127.1/", None), ("https://a。test/", None),
     ("https://[2606:4700::1%25.ours.test]/", None), ("http\u017f://a.test/", None)],
)  # fmt: skip
def test_an_address_has_one_host_to_every_reader_or_none(url: str, host: str | None) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    "host",
    ["localhost", "a.localhost", "printer.local", "metadata.google.internal", "nas.lan",
     "router.home.arpa", "box.localdomain", "intranet"],
)  # fmt: skip
def test_names_of_this_machine_and_its_network_are_known(host: str) -> None:
    assert is_own_name(host)
    assert not is_own_name(f"{host}.example.com")


@pytest.mark.parametrize(
    "address",
    ["64:ff9b::808:808", "64:ff9b:1::808:808", "2002:808:808::1", "2001:0:808:808::1",
     "::ffff:127.0.0.1", "::8.8.8.8", "ff02::1", "ff0e::1", "239.1.1.1", "240.0.0.1", "fec0::1",
     "fe80::1%eth0", "127.0.0.1%x", "4000::1", "100.64.0.1", "192.0.2.1", "2001:db8::1",
     "198.18.0.1", "not an address", ""],
)  # fmt: skip
def test_an_address_that_leads_elsewhere_by_a_detour_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("host", "odd"),
    [(f"{'a' * 40}.test", False), (f"{'a' * 41}.test", True),
     ("a." * 60, False), ("a." * 60 + "b", True),
     ("abcdefghijklmnop.test", False), ("abcdefghijklmnopqrst.test", True),
     ("2606:4700:1234:5678:9abc:def0:1357:2468", False), ("93.184.215.14", False)],
)  # fmt: skip
def test_a_name_is_odd_from_a_length_and_a_disorder_on(host: str, odd: bool) -> None:
    assert bool(NameWatch().problem(host)) is odd


def test_addresses_are_no_names_however_many_and_disordered() -> None:
    watch = NameWatch()
    for number in range(80):
        assert watch.problem(f"{number}.1.2.3") == ""
    assert watch.problem("2606:4719:8350:5a7b:9acd:ef02:1e48:bc63") == ""
    assert watch.problem("2606471983505a7b9acdef021e48bc63.test") != ""


def sized(data: bytes, size: int) -> bytes:
    return len(data).to_bytes(size) + data


def named(*hosts: bytes, kind: int = 0) -> bytes:
    listed = b"".join(bytes([kind]) + sized(host, 2) for host in hosts)
    return b"\0\0" + sized(sized(listed, 2), 2)


def body(*extensions: bytes) -> bytes:
    return (
        b"\3\3" + bytes(32) + b"\0" + sized(b"\x13\1", 2) + b"\1\0" + sized(b"".join(extensions), 2)
    )


def message(content: bytes, kind: int = 1) -> bytes:
    return bytes([kind]) + sized(content, 3)


def record(content: bytes, kind: int = 22, version: int = 3) -> bytes:
    return bytes([kind, version, 1]) + sized(content, 2)


OTHER = b"\0\x17" + sized(b"abc", 2)
GOOD = message(body(OTHER, named(b"A.test")))


@pytest.mark.parametrize(
    ("data", "name"),
    [(record(GOOD), "a.test"),
     (record(GOOD[:3]) + record(GOOD[3:20]) + record(GOOD[20:]), "a.test"),
     (record(message(body(OTHER))), ""), (record(message(body())), ""),
     (record(GOOD + message(body(named(b"b.test")))), "a.test"), (record(GOOD)[:-1], None),
     (record(message(body()[:-2])), ""), (b"\x16", None), (b"\x16\3", None)],
    ids=itertools.count(),
)  # fmt: skip
def test_a_first_message_names_its_host(data: bytes, name: str | None) -> None:
    assert server_name(data) == name


@pytest.mark.parametrize(
    "data",
    [record(GOOD, kind=23), record(GOOD, version=2), record(message(body(), kind=2)), b"\x17",
     b"\x16\2",
     record(message(bytes(5000), kind=2)[:100]), record(b""), record(GOOD[:9]) + record(b""),
     b"\x16\3\1\x40\1", record(bytes([1, 0, 255, 255]) + bytes(16000)) * 3,
     record(message(body(named(b"a.test", b"b.test")))), record(message(body(named(b"a", kind=1)))),
     record(message(body(named(b"a.test"), named(b"b.test")))),
     record(message(body(named(b"\xff")))),
     record(message(body(named(b"a.test"))[:-1])), record(message(body(OTHER) + named(b"b.test"))),
     record(message(body(named(b"a.test"), OTHER)[:-1])), record(message(body() + b"x")),
     record(message(body(named(b"a.test"), b"\0\x17\0\4abc"))),
     record(message(body(OTHER)[:-3]) + named(b"b.test")), record(message(body(b"\0\0\0\0"))),
     record(message(body(b"\0\0" + sized(b"\0\3\0" + sized(b"a.test", 2), 2)))),
     record(message(b"\3\3" + bytes(20)))],
    ids=itertools.count(),
)  # fmt: skip
def test_a_first_message_that_may_name_another_host_is_refused(data: bytes) -> None:
    with pytest.raises(NotTlsError):
        server_name(data)
