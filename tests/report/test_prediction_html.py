from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from html_page import Page
from sample_prediction import HOSTILE, hostile, interrupted, sample_prediction, undecided

from offswitch.errors import AuditError
from offswitch.report.prediction_finding import NO_CERTIFICATE, predict_command
from offswitch.report.prediction_html import (
    prediction_figures,
    prediction_html,
    write_figures,
    write_prediction_html,
)
from offswitch.report.wording import plain

pytestmark = pytest.mark.slow  # drawing the figures takes over 250 ms


@pytest.mark.parametrize("change", [lambda r: r, hostile, interrupted, undecided])
def test_the_page_asks_nothing_of_any_network(change):
    text = prediction_html(change(sample_prediction()))
    page = Page(text)
    assert not {"script", "img", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            assert value is not None
            assert value == "data:," or value.startswith("#"), (name, value)
    assert not re.search(r"url\((?!#)|@import|@font-face", text)
    assert "default-src 'none'" in text
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_what_a_process_calls_its_states_stays_text():
    text = prediction_html(hostile(sample_prediction()))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert plain(HOSTILE) in Page(text).text
    assert not any(name.startswith("on") for name, _ in Page(text).attributes)


def test_everything_a_reader_needs_is_on_the_page():
    report = sample_prediction()
    words = " ".join(Page(prediction_html(report)).text.split())
    for said in (
        *report.limits, *report.process.notes, predict_command(report), NO_CERTIFICATE,
        report.stoppability.statement, report.acts[0].certificate.statement, "does not hold",
    ):  # fmt: skip
        assert said in words, said


def test_every_number_carries_method_level_n_and_seed():
    titles = [
        value or "" for name, value in Page(prediction_html(sample_prediction())).attributes
        if name == "title"
    ]  # fmt: skip
    assert len(titles) > 20
    for title in titles:
        assert re.search(r"\(95% interval, .+, n=\d+.*, (seed \d+|nothing drawn)\)", title), title


def test_a_prediction_without_figures_still_has_its_certificates_and_settings():
    text = prediction_html(sample_prediction(), figures={})
    assert "<svg" not in text
    assert NO_CERTIFICATE in text


def test_files_are_written_whole_or_refused(tmp_path):
    report = sample_prediction()
    figures = prediction_figures(report)
    write_prediction_html(report, tmp_path / "prediction.html", figures)
    paths = write_figures(figures, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "prediction.html", *(path.name for path in paths)
    }  # fmt: skip
    for name, view in figures.items():
        drawing = ET.fromstring((tmp_path / f"{name}.svg").read_text())
        words = " ".join(" ".join(part.split()) for part in drawing.itertext() if part.strip())
        assert view.title in words
        assert view.caption in words
    with pytest.raises(AuditError, match="cannot be written"):
        write_prediction_html(report, tmp_path / "absent" / "x.html", figures)
