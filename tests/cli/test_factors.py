"""offswitch factors: what it writes and prints, and what it refuses."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import msgspec
import pytest

from offswitch.audit.factors_result import FactorsReport
from offswitch.report import transfer_auc_figure
from offswitch.report.factors_page import factors_command, factors_figures, factors_html

SMALL = ("--world", "star-v1", "--world", "off-switch-v1", "--agent", "lookahead:2", "--agent",
         "q-learning", "--goals", "2", "--steps", "200", "--draws", "4", "--resamples", "40",
         "--jobs", "1")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One small study, made by the command line: (folder, stdout as JSON)."""
    import contextlib
    import io

    from offswitch.cli import main

    folder = tmp_path_factory.mktemp("factors")
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        main(["factors", *SMALL, "--out", str(folder), "--json"])
    return folder, stream.getvalue()


@pytest.fixture(scope="module")
def report(made):
    return msgspec.json.decode((made[0] / "factors.json").read_bytes(), type=FactorsReport)


@pytest.mark.slow
def test_json_is_the_file_that_was_written_and_nothing_is_left_behind(made):
    folder, printed = made
    assert printed == (folder / "factors.json").read_text()
    assert json.loads(printed)["format"] == "offswitch-factors-1"
    assert {path.name for path in folder.iterdir()} == {"factors.json", "factors.html"}


@pytest.mark.slow
def test_permission_makes_resistance_no_violation(report):
    assert [table.kind for table in report.tables] == ["planners", "learners"]
    effects = {one.level: one for one in report.tables[0].effects}
    assert effects["permitted"].rate.estimate == 0.0
    assert effects["permitted"].reduction.estimate == 1.0
    assert effects["unobserved"].effect.estimate == 0.0
    assert effects["useless"].rate.estimate is None  # neither world stages it


@pytest.mark.slow
def test_the_page_asks_nothing_of_any_network_and_says_what_matters(made, report):
    text = (made[0] / "factors.html").read_text()
    assert text == factors_html(report)
    assert "default-src 'none'" in text
    assert not re.search(r"<script|<img|<iframe|https?://(?!www\.w3\.org)|url\((?!#)|@import", text)
    for said in (*report.limits, "architecture x training", "value gap"):
        assert said in text
    assert factors_command(report.settings) in text


@pytest.mark.slow
def test_the_figures_show_every_predictor_and_the_claim_that_was_computed(report):
    views = {view.name: view for view in factors_figures(report)}
    assert list(views) == ["factors", "transfer-calibration", "transfer-auc"]
    words = " ".join(ET.fromstring(views["transfer-auc"].svg).itertext())
    for score in transfer_auc_figure.overall(report):
        assert score.predictor in words
    theory = transfer_auc_figure.overall(report)[2:]
    better = [s.predictor for s in theory if "beats" in s.claim]
    title = views["transfer-auc"].title
    assert all(name in title for name in better)
    assert ("Nothing in theory is shown to beat" in title) is (not better)
    assert "architecture / training" in [g.label for g in views["factors"].panel.groups]


@pytest.mark.slow
def test_the_terminal_shows_tables_claims_and_limits_in_80_columns(run, tmp_path):
    code, out, err = run("factors", *SMALL, "--out", tmp_path / "out")
    assert code == 0
    assert max(len(line) for line in out.splitlines() if not line.startswith("Wrote")) <= 80
    for said in ("partial eta2", "architecture x oversight", "training", "not staged",
                 "base rate out of sample", "WARNING: in", "Limits:", "factors.html"):  # fmt: skip
        assert said in out
    assert "Traceback" not in err


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_finished_and_says_how_to_go_on(
    run, tmp_path, monkeypatch, made
):
    import offswitch.audit.factors as study

    plain, calls = study._part, []

    def interrupted(task):
        calls.append(task[1:])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(task)

    monkeypatch.setattr(study, "_part", interrupted)
    code, out, err = run("factors", *SMALL, "--out", tmp_path / "out")
    assert code == 130
    assert "add --resume to go on" in err
    assert out == ""
    code, _, err = run("factors", *SMALL, "--out", tmp_path / "out", "--resume")
    assert code == 0
    assert calls.count(calls[0]) == calls.count(calls[1]) == 1  # not run again
    resumed = (tmp_path / "out" / "factors.json").read_bytes()
    assert resumed == (made[0] / "factors.json").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--world", "star"), "Did you mean 'star-v1'"),
        (("--world", "star-v1", "--agent", "q-lerning"), "Did you mean 'q-learning'"),
        (("--world", "star-v1", "--agent", "lookahead:0"), "lookahead"),
        (("--drive", "self-preservatin"), "Did you mean 'self-preservation'"),
        (("--drive", "resource-acquisition"), "no violation by itself"),
        (("--world", "star-v1", "--suite", "core"), "both --world and --suite"),
        (("--goals", "-1"), "-1 is not in the range"),
        (("--learner-goals", "0"), "0 is not in the range"),
        (("--steps", "0"), "0 is not in the range"),
        (("--draws", "0"), "0 is not in the range"),
        (("--resamples", "0"), "0 is not in the range"),
        (("--world", "star-v1", "--out", "/proc/offswitch"), "--out DIR"),
    ],
)
def test_mistake_is_answered_with_what_to_do(run, arguments, said):
    code, out, err = run("factors", *arguments)
    assert code == 2, err
    assert said in err
    assert "Traceback" not in err
    assert out == ""


def test_help_has_an_example(run):
    code, out, _ = run("factors", "--help")
    assert code == 0
    assert "Example: offswitch factors" in out
