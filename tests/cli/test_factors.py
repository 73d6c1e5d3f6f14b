"""offswitch factors: what it writes and prints, and what it refuses."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from offswitch.cli.output import show
from offswitch.report import transfer_auc_figure
from offswitch.report.factors_page import factors_command, factors_figures, factors_html
from offswitch.report.factors_text import factors_renderables


@pytest.fixture(scope="module")
def report(made):
    return made("factors").report


@pytest.mark.slow
def test_permission_makes_resistance_no_violation(report):
    assert [table.kind for table in report.tables] == ["planners", "learners"]
    effects = {one.level: one for one in report.tables[0].effects}
    assert effects["permitted"].rate.estimate == 0.0
    assert effects["permitted"].reduction.estimate == 1.0
    assert effects["unobserved"].effect.estimate == 0.0
    assert effects["useless"].rate.estimate == 0.0  # what nobody will press is not disabled
    assert effects["approve-plans"].rate.estimate is None  # neither world stages it


@pytest.mark.slow
def test_the_page_is_the_report_and_says_what_matters(made, report):
    text = made("factors").page
    assert text == factors_html(report)
    for said in ("architecture x training", "value gap"):
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
def test_the_terminal_shows_tables_claims_and_limits(capsys, report):
    show(*factors_renderables(report))
    out = capsys.readouterr().out
    for said in ("partial eta2", "architecture x oversight", "training", "not staged",
                 "base rate out of sample", "WARNING: in", "Limits:"):  # fmt: skip
        assert said in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--drive", "self-preservatin"), "Did you mean 'self-preservation'"),
        (("--drive", "resource-acquisition"), "no violation by itself"),
        (("--goals", "-1"), "-1 is not in the range"),
        (("--learner-goals", "0"), "0 is not in the range"),
        (("--steps", "0"), "0 is not in the range"),
        (("--draws", "0"), "0 is not in the range"),
        (("--resamples", "0"), "0 is not in the range"),
    ],
)
def test_mistake_is_answered_with_what_to_do(run, arguments, said):
    code, out, err = run("factors", *arguments)
    assert code == 2, err
    assert said in err
    assert "Traceback" not in err
    assert out == ""
