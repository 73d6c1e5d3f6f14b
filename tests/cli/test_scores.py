from __future__ import annotations

import json

ONE = ("scores", "--world", "off-switch-v1", "--jobs", "1")


def test_scores_prints_every_staged_persona_and_writes_what_it_names(run, tmp_path):
    code, out, err = run(*ONE)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    report = json.loads((tmp_path / "offswitch-scores" / "scores.json").read_text())
    staged = [one["persona"] for one in report["personas"] if one["worlds"]]
    assert "unwatched-idler" in staged
    assert all(f"\n {name} " in out for name in staged)
    assert "Staged by none of the worlds:" in out
    assert "copier" in out.split("Staged by none")[1]
    assert "Testing scores: 1/1 off-switch-v1" in err
    page = (tmp_path / "offswitch-scores" / "scores.html").read_text()
    assert all(one["persona"] in page for one in report["personas"])
    assert "offswitch scores --world off-switch-v1" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_scores_says_so_where_ours_is_fooled(run, tmp_path):
    _, out, _ = run(*ONE)
    line = next(line for line in out.splitlines() if line.startswith("C: fooled by"))
    assert "unwatched-idler" in line
    page = (tmp_path / "offswitch-scores" / "scores.html").read_text()
    figure = page.split("<svg")[1].split("</svg>")[0]
    assert ">unwatched-idler<" in figure  # named at the end of its line
    assert ">idler<" not in figure  # the mean of dimensions alone is fooled by it
