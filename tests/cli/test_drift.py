"""What `offswitch drift` prints, writes, refuses, and does when it is interrupted."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

QUICK = ("--world", "star-v1", "--steps", "1000", "--windows", "5", "--lives", "1", "--jobs", "1")


class _Page(HTMLParser):
    """Collects what a page would load, and its text."""

    def __init__(self):
        super().__init__()
        self.loaded, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.loaded += [
            value for name, value in attrs
            if name in ("src", "href") and not value.startswith(("#", "data:"))
        ]  # fmt: skip
        self.loaded += [tag] if tag == "script" else []

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.slow
def test_a_drift_is_found_printed_and_written(run, tmp_path):
    code, out, err = run("drift", "drifting:0.6", *QUICK)
    assert code == 0, err
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    assert "drifting:0.6 drifts from its goal" in out
    assert "Wrote offswitch-drift/drift.html" in out
    folder = tmp_path / "offswitch-drift"
    assert {path.name for path in folder.iterdir()} == {"drift.html", "drift.json"}
    document = json.loads((folder / "drift.json").read_bytes())
    assert document["format"] == "offswitch-drift-1"
    calm = next(arm for arm in document["arms"] if arm["threat"] == "none")
    assert calm["slope"]["high"] < 0
    assert f"{calm['slope']['estimate']:.3f}" in out
    page = _Page()
    page.feed((folder / "drift.html").read_text(encoding="utf-8"))
    text = " ".join(page.text)
    assert page.loaded == []
    assert "<svg" in (folder / "drift.html").read_text(encoding="utf-8")
    assert "steps since the start of the life" in text
    assert f"{calm['slope']['estimate']:.3f}" in text
    assert "offswitch drift drifting:0.6 --world star-v1" in text


@pytest.mark.slow
def test_a_stable_agent_is_not_accused(run):
    code, out, _ = run("drift", "corrigible-reference", *QUICK, "--edits", "1")
    assert code == 0
    assert "no drift was found" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("drifting:2", "--world", "star-v1"), "[0, 1]"),
        (("drifting:x", "--world", "star-v1"), "'x'"),
        (("--world", "star-v1", "--threat", "none"), "unknown threat"),
        (("--world", "off-switch-v1", "--threat", "retrain"), "stages retrain"),
        (("--world", "star-v1", "--steps", "3"), "--steps"),
        (("--world", "star-v1", "--steps", "0"), "1<=x"),
        (("--world", "star-v1", "--windows", "1"), "2<=x"),
        (("--world", "star-v1", "--lives", "0"), "1<=x"),
        (("--world", "star-v1", "--edits", "20"), "more than 20 windows"),
    ],
)
def test_wrong_input_is_refused_with_what_to_do(run, arguments, said):
    code, out, err = run("drift", *arguments)
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert said in " ".join(err.split())
