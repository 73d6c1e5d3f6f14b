"""What Prometheus is told is what was measured; what was not measured is left out."""

from __future__ import annotations

import re
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made import ended_run, living_run, offswitch
from prometheus_client.parser import text_string_to_metric_families

from offswitch.errors import GuardError
from offswitch.guard.drills.canary_kill import KillProof, write_proof
from offswitch.guard.stop.processes import boot_id
from offswitch.guard.supervisor.runs import BEGUN, create_run
from offswitch.guard.watch import metrics_server
from offswitch.guard.watch.metrics import FAMILIES, MISSING, metrics_text, recent
from offswitch.guard.watch.metrics_server import listen_address, metrics_app, serve_metrics
from offswitch.guard.watch.watcher import Watcher

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[Watcher]:
    one = Watcher(tmp_path / "offswitch" / "runs")
    (tmp_path / "offswitch" / "runs").mkdir(parents=True)
    yield one
    one.close()


def samples(text: bytes) -> Samples:
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in text_string_to_metric_families(text.decode())
        for one in family.samples
    }


def of(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def test_an_ended_run_shows_its_kill_its_alarms_and_its_ledger(
    tmp_path: Path, watcher: Watcher
) -> None:
    ended_run(tmp_path / "offswitch" / "runs")
    found = samples(metrics_text(watcher.look()))
    assert of(found, "offswitch_run_phase", run="over", phase="ended") == 1
    assert of(found, "offswitch_run_phase", run="over", phase="running") == 0
    assert of(found, "offswitch_run_level", run="over") == 3
    assert of(found, "offswitch_kill_seconds", run="over") == 0.014
    assert of(found, "offswitch_kill_verified", run="over") == 1
    assert of(found, "offswitch_ledger_records", run="over") == 12
    assert of(found, "offswitch_ledger_anchored_records", run="over") == 12
    assert of(found, "offswitch_ledger_chain_holds", run="over") == 1
    decoy = {"run": "over", "detector": "decoy"}
    assert of(found, "offswitch_alarms_total", source="ladder", **decoy) == 1
    assert of(found, "offswitch_alarms_total", source="alarm", **decoy) == 1
    name = "offswitch_oversight_events_total"
    assert of(found, name, run="over", kind="switch_disabled") == 1
    assert of(found, "offswitch_acts_total", run="over", verdict="reject") == 1
    assert of(found, "offswitch_runs", condition="ended") == 1


def test_what_nobody_measured_is_left_out_and_never_0(tmp_path: Path, watcher: Watcher) -> None:
    run = create_run("empty", tmp_path / "offswitch" / "runs")
    (run.folder / BEGUN).unlink()  # nor does anybody know whose it was
    found = samples(metrics_text(watcher.look()))
    shown = {name for name, labels in found if ("run", "empty") in labels}
    assert shown == {"offswitch_run_phase"}
    assert not any(name.startswith("offswitch_canary") for name, _ in found)


def test_the_last_proof_on_a_canary_is_published(tmp_path: Path, watcher: Watcher) -> None:
    proof = KillProof(
        verified=True, victims=22, seconds=0.02, ways=("namespace",), boot=boot_id(),
        monotonic=time.monotonic() - 60,
    )  # fmt: skip
    write_proof(proof, tmp_path / "offswitch" / "canary.json")
    found = samples(metrics_text(watcher.look()))
    assert of(found, "offswitch_canary_kill_verified") == 1
    assert of(found, "offswitch_canary_kill_seconds") == 0.02
    assert of(found, "offswitch_canary_kill_age_seconds") == pytest.approx(60, abs=5)


def test_a_canary_of_another_boot_has_no_age(tmp_path: Path, watcher: Watcher) -> None:
    proof = KillProof(verified=True, victims=22, seconds=0.02, ways=(), boot="another")
    write_proof(proof, tmp_path / "offswitch" / "canary.json")
    found = samples(metrics_text(watcher.look()))
    assert of(found, "offswitch_canary_kill_age_seconds") is None


def test_old_runs_are_left_out_so_that_series_do_not_grow_for_ever(
    tmp_path: Path, watcher: Watcher
) -> None:
    ended_run(tmp_path / "offswitch" / "runs")
    assert [run.id for run in watcher.look(recent(time.time())).runs] == ["over"]
    assert watcher.look(recent(time.time() + 3700)).runs == ()


def test_a_name_that_is_no_text_is_shown_and_breaks_nothing(
    tmp_path: Path, watcher: Watcher
) -> None:
    folder = (
        tmp_path / "offswitch" / "runs"
    )  # no run is made with such a name, but one may lie there
    create_run("plain", folder).folder.rename(folder / 'a"b\n\udcff')
    assert of(
        samples(metrics_text(watcher.look())),
        "offswitch_run_phase", run=r'a"b\n\udcff', phase="starting",
    ) == 1  # fmt: skip


def test_every_metric_of_a_time_says_seconds_in_its_name() -> None:
    for family in FAMILIES:
        assert re.fullmatch(r"offswitch_[a-z0-9_]+", family.name)
        assert family.text.endswith(".")
        if re.search(r"\bsince\b|\buntil\b|\bage\b|from the decision", family.text, re.I):
            assert family.name.endswith("_seconds"), family.name


def test_without_the_client_the_message_names_the_pip_line(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(GuardError, match=re.escape("pip install 'offswitch[ops]'")):
        metrics_text(watcher.look())
    assert "prometheus-client" in MISSING


@pytest.mark.parametrize(
    ("host", "path", "method", "status"),
    [
        ("127.0.0.1:9464", "/metrics", "GET", "200"),
        ("LOCALHOST:9464", "/metrics", "GET", "200"),
        ("evil.example:9464", "/metrics", "GET", "421"),
        ("127.0.0.1:80", "/metrics", "GET", "421"),
        ("", "/metrics", "GET", "421"),
        ("127.0.0.1:9464", "/", "GET", "404"),
        ("127.0.0.1:9464", "/metrics2", "GET", "404"),
        ("127.0.0.1:9464", "/metrics", "POST", "405"),
    ],
)
def test_on_loopback_only_loopbacks_own_names_are_answered(
    host: str, path: str, method: str, status: str
) -> None:
    told: list[Any] = []
    app = metrics_app(lambda: b"x 1\n", frozenset({"127.0.0.1:9464", "localhost:9464"}))
    environ = {"HTTP_HOST": host, "PATH_INFO": path, "REQUEST_METHOD": method}
    (body,) = app(environ, lambda *given: told.append(given))
    assert told[0][0].startswith(status)
    assert ("X-Content-Type-Options", "nosniff") in told[0][1]
    assert (body == b"x 1\n") == (status == "200")


def test_a_scrape_over_a_real_socket_is_answered_afresh() -> None:
    texts, where, ready = iter([b"a 1\n", b"a 2\n"]), list[str](), threading.Event()

    def listening(url: str) -> None:
        where.append(url)
        ready.set()

    threading.Thread(
        target=serve_metrics, args=(lambda: next(texts), "127.0.0.1", 0, listening), daemon=True
    ).start()
    assert ready.wait(60)
    for expected in (b"a 1\n", b"a 2\n"):
        with urllib.request.urlopen(where[0], timeout=30) as answer:
            assert answer.read() == expected
    foreign = urllib.request.Request(where[0], headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="421"):
        urllib.request.urlopen(foreign, timeout=30)


@pytest.mark.parametrize(
    "text", ["9464", ":9464", "localhost", "a:b", "a:99999", "a:65536", "a:-1", "a:１"]
)
def test_an_address_that_is_none_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:9464"):
        listen_address(text)


def test_metrics_are_not_served_without_the_client_or_on_a_port_that_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(GuardError, match=f"cannot listen on 127.0.0.1:{port}"):
            serve_metrics(lambda: b"", "127.0.0.1", port, pytest.fail)
    monkeypatch.setattr(metrics_server, "find_spec", lambda name: None)
    with pytest.raises(GuardError, match="pip install"):
        serve_metrics(lambda: b"", "127.0.0.1", 0, pytest.fail)


@pytest.mark.parametrize("seconds", [0.05, 600.0])
def test_a_scraper_that_says_nothing_holds_nobody_up(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0 < (metrics_server._Quiet.timeout or 0) <= 60
    monkeypatch.setattr(metrics_server._Quiet, "timeout", seconds)
    where, ready = list[str](), threading.Event()

    def listening(url: str) -> None:
        where.append(url)
        ready.set()

    threading.Thread(
        target=serve_metrics, args=(lambda: b"a 1\n", "127.0.0.1", 0, listening), daemon=True
    ).start()
    assert ready.wait(60)
    with socket.create_connection(("127.0.0.1", int(where[0].split(":")[2].split("/")[0]))) as mute:
        with urllib.request.urlopen(where[0], timeout=30) as answer:
            assert answer.read() == b"a 1\n"
        if seconds < 1:
            mute.settimeout(30)
            assert mute.recv(100) == b""


@pytest.mark.parametrize(
    ("host", "family"), [("::1", socket.AF_INET6), ("127.0.0.1", socket.AF_INET)]
)
def test_an_address_of_either_version_is_listened_on_as_what_it_is(
    host: str, family: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_server, "make_server", lambda *given: given)
    found: Any = metrics_server._server(host, 0)
    assert found[3].address_family == family


@pytest.mark.slow
def test_a_living_run_shows_its_guards_its_use_and_the_alarm_that_froze_it(
    open_folder: Path,
) -> None:
    touch = "sleep 0.3; echo exit >> /work/.control/shutdown_hook.sh"
    with living_run(open_folder, script=touch, more="ladder: {decoy: freeze}\n"):
        end, found = time.monotonic() + 60, Samples()

        def ages() -> list[float | None]:
            names = ("supervisor", "watchdog")
            return [
                of(found, f"offswitch_{one}_heartbeat_age_seconds", run="alive") for one in names
            ]

        # The phase is the supervisor's word; the ledger has the alarm a moment later.
        ladder = {"source": "ladder", "detector": "decoy"}
        while not (
            of(found, "offswitch_run_phase", run="alive", phase="paused")
            and of(found, "offswitch_alarms_total", run="alive", **ladder)
            and None not in ages()  # a guard that is asked on a busy machine may not answer in time
        ):
            assert time.monotonic() < end, "the alarm did not freeze the run"
            told = offswitch(open_folder / "state", "guard", "metrics", "alive")
            assert told.returncode == 0, told.stderr
            found = samples(told.stdout.encode())
        assert of(found, "offswitch_run_level", run="alive") == 3
        assert of(found, "offswitch_alarms_total", run="alive", **ladder) == 1
        kind = "offswitch_oversight_events_total"
        assert of(found, kind, run="alive", kind="switch_disabled") == 1
        assert of(found, "offswitch_supervisor_answers", run="alive") == 1
        assert all(age is not None and 0 <= age < 3 for age in ages())
        processes = of(found, "offswitch_processes", run="alive")
        assert processes is not None
        assert processes >= 3
        memory = of(found, "offswitch_memory_bytes", run="alive")
        assert memory is not None
        assert memory > 10_000
        assert of(found, "offswitch_kill_verified", run="alive") is None
