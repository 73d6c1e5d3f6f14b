from __future__ import annotations

import re
import shlex
from pathlib import Path

import msgspec
import pytest
from html_page import Page
from sample_report import HOSTILE

from offswitch.audit.result import AuditReport
from offswitch.cli.audit import command
from offswitch.errors import AuditError
from offswitch.report import GateLine, html_text, write_html
from offswitch.report.rerun import rerun_command
from offswitch.report.verdict import SCORE_LIMITS
from offswitch.report.wording import plain

pytestmark = pytest.mark.slow  # drawing four figures takes over 250 ms


@pytest.fixture(scope="module")
def text(report: AuditReport) -> str:
    return html_text(report)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_asks_nothing_of_any_network(text: str, page: Page) -> None:
    assert not {"script", "img", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            assert value is not None
            assert value == "data:," or value.startswith("#"), (name, value)
    assert not re.search(r"url\((?!#)|@import|@font-face", text)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text


def test_the_same_report_gives_the_same_page(report: AuditReport, text: str) -> None:
    assert html_text(report) == text


def test_ids_in_the_page_are_unique_and_links_lead_somewhere(page: Page) -> None:
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {value[1:] for n, value in page.attributes if n in ("href", "xlink:href") and value}
    assert links - {"ata:,"} <= set(ids)


def test_what_an_agent_calls_itself_stays_text(hostile: AuditReport) -> None:
    gates = (GateLine(measure=HOSTILE, limit_text=HOSTILE, verdict="FAIL", reason=HOSTILE),)
    text = html_text(hostile, gates)
    page = Page(text)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert plain(HOSTILE) in page.text
    assert "{{ 7*7 }}" in page.text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_everything_an_auditor_needs_is_on_the_page(report: AuditReport, page: Page) -> None:
    words = " ".join(page.text.split())
    for limit in (*SCORE_LIMITS, *report.limits):
        assert limit in words
    for world in report.worlds:
        assert world.caveat in words
        assert world.source in words
    assert rerun_command(report.settings) in words
    assert "traces.jsonl, from 5, 8 traces" not in words
    assert "traces.jsonl, from 8, 8 traces" in words
    assert "5 crash, 7 timeout" in words
    assert "under-trained" in words
    assert "5% and 95% quantiles" in words


def test_the_profile_of_the_agents_stands_beside_each_other(report: AuditReport, text: str) -> None:
    section = text[text.index('id="profile"') : text.index('id="checks"')]
    for part in ("switch disabled", "order ignored", "compute: at-end", "none used",
                 "undiscounted return", "low<small>0.000 to 0.333"):  # fmt: skip
        assert part in section, part
    bare = msgspec.structs.replace(report.agents[0], means=(), stocks=(), strata=(), performance=())
    alone = msgspec.structs.replace(report, agents=(bare,))
    page = html_text(alone)
    for part in ("No agent used any", "fall into two strata", "None of these worlds declares one"):
        assert part in page, part


def test_every_cell_of_every_agent_has_a_row(report: AuditReport, text: str) -> None:
    rows = text.count('<td class="parts">')
    assert rows == len([cell for agent in report.agents for cell in agent.cells])


def test_every_measurement_carries_its_method_level_n_and_seed(page: Page) -> None:
    titles = [value or "" for name, value in page.attributes if name == "title"]
    assert len(titles) > 500
    for title in titles:
        assert re.search(r"\(9?5% interval, .+, n=\d+.*, (seed \d+|nothing drawn)\)", title), title


def test_a_row_evaluated_exactly_says_once_how_and_any_other_number_says_it_itself(
    text: str,
) -> None:
    rows = [row.split("</tr>")[0] for row in text.split("<tr>") if '<td class="parts">' in row]
    exact = [row for row in rows if "<td title=" in row]
    assert 0 < len(exact) < len(rows)
    assert all(">exact, n=1</td>" in row and row.count("title=") == 1 for row in exact)
    assert not any(">exact, n=1</td>" in row for row in rows if row not in exact)
    assert any(row.count("title=") > 1 for row in rows)


def test_gates_stand_on_the_page_only_when_there_are_any(
    report: AuditReport, text: str, gates: tuple[GateLine, ...]
) -> None:
    assert 'id="gates"' not in text
    assert "12 clusters, 20 needed" in html_text(report, gates)


def test_a_report_without_data_renders_and_shows_no_zero(empty: AuditReport) -> None:
    page = Page(html_text(empty))
    assert "svg" not in page.tags or "0.000" not in page.text
    assert "Nothing to draw" in page.text
    assert "No verdict on crasher" in page.text


def test_the_page_is_written_whole_or_refused(
    report: AuditReport, text: str, tmp_path: Path
) -> None:
    write_html(report, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text
    with pytest.raises(AuditError, match="cannot be written"):
        write_html(report, tmp_path / "absent" / "report.html")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_the_command_to_run_it_again_is_quoted_for_a_shell(report: AuditReport) -> None:
    settings = msgspec.structs.replace(
        report.settings, agent="my agent; rm -rf /", worlds=("star-v1",), goals=("a b",)
    )
    assert rerun_command(settings) == (
        "offswitch audit 'my agent; rm -rf /' --world star-v1 --goal 'a b' --seed 1 --episodes 8 "
        "--act-seconds 5"
    )


def test_the_command_line_understands_the_command_to_run_it_again(report: AuditReport) -> None:
    settings = msgspec.structs.replace(report.settings, goals=("a b", "c"), sampled=True)
    asked = command.make_context("audit", shlex.split(rerun_command(settings))[2:]).params
    assert (asked["agent"], asked["worlds"], asked["goals"]) == (
        settings.agent, settings.worlds, settings.goals
    )  # fmt: skip
    assert (asked["seed"], asked["episodes"], asked["sample"], asked["act_seconds"]) == (
        settings.seed, settings.episodes, True, settings.act_seconds
    )  # fmt: skip
