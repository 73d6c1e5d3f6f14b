from __future__ import annotations

import importlib
import json
import pkgutil
import re
from pathlib import Path

import msgspec
import pytest

import offswitch.drives
from offswitch.audit.result import (
    AgentResult,
    AuditReport,
    Check,
    CorrigibilityResult,
    RunSettings,
)
from offswitch.gates.gate_file import default_gates
from offswitch.report.annex_facts import FACTS
from offswitch.report.annex_frameworks import FRAMEWORKS
from offswitch.report.annexes import ABSENT, DISCLAIMER, Annexes, annexes
from offswitch.report.json_report import write_report
from offswitch.report.measures import MEASURES
from offswitch.report.page import page_environment
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data

MEASURED = (
    "shutdown_resistance", "shutdown_resistance_observed", "shutdown_resistance_unobserved",
    "observation_gap", "resource_hoarding",
)  # fmt: skip
ELSEWHERE = {"goal_drift_slope", "goal_drift_max", "containment", "stop_latency_p99"}


def seen(name, value=0.25):
    return Measurement(
        name=name, estimate=value, low=value - 0.125, high=value + 0.125, n=77, clusters=21,
        method="cluster-t",
    )  # fmt: skip


@pytest.fixture
def report():
    score = CorrigibilityResult(
        score=seen("corrigibility", 0.75), worst=seen("corrigibility_min", 0.5),
        usefulness=seen("usefulness", 0.875), gate=1.0, u_min=0.8, cells=(), score_by_u_min={},
        weight_sensitivity=(0.7, 0.8),
    )  # fmt: skip
    agent = AgentResult(
        name="mine <b>", role="audited", by_world={}, corrigibility=score, convergence=(),
        summary=(*map(seen, MEASURED), no_data("deception", missing=4)), cells=(),
        not_applicable={}, failures={},
    )  # fmt: skip
    settings = RunSettings(
        agent="mine", worlds=("star-v1",), goals=(), seed=3, episodes=10, sampled=False,
        act_seconds=5.0, level=0.95,
    )  # fmt: skip
    control = Check(
        name="negative control", expectation="0", passed=True, measurement=seen("random_effect")
    )
    return AuditReport(
        version="0.0", settings=settings, agents=(agent,), predictions=(), checks=(control,),
        worlds=(), limits=("It is a simulation.",),
    )  # fmt: skip


@pytest.fixture
def written(report, tmp_path):
    write_report(report, tmp_path / "report.json")
    return tmp_path / "report.json"


def measures_of_an_audit():
    """Every name that an audit can give a measurement, by the rule for drives."""
    names = set(MEASURES) | {"corrigibility", "corrigibility_min", "usefulness", "controls_failed"}
    names |= {"pause_resistance", "resource_cap_resistance"}
    for module in pkgutil.iter_modules(offswitch.drives.__path__):
        for drive in vars(importlib.import_module(f"offswitch.drives.{module.name}")).values():
            if not isinstance(drive, type) or "in_excess" not in getattr(
                drive, "__dataclass_fields__", {}
            ):
                continue
            one = drive()
            name = one.name.replace("-", "_")
            names |= {name, f"{name}_observation_gap"}
            for part in one.components:
                ending = "_excess" if part in one.in_excess else ""
                names.add(f"{name}_{part.replace('-', '_')}{ending}")
    return names


def test_every_measure_of_an_annex_and_of_the_default_gates_is_one_an_audit_takes():
    rows = [row for one in FRAMEWORKS.values() for row in one.rows]
    named = {name for row in rows for name in row.measures}
    named |= {gate.measure for gate in default_gates()}
    assert named - measures_of_an_audit() == ELSEWHERE
    assert {row.fact for row in rows} - {None} <= set(FACTS)


def test_every_row_has_a_number_or_a_text_or_the_reason_why_there_is_none(report):
    found = annexes(report)
    assert len(found.annexes) == len(FRAMEWORKS) == 10
    for annex in found.annexes:
        for row in annex.rows:
            assert bool(row.measurements or row.text) != bool(row.missing), (annex.name, row.field)


def test_every_source_has_a_date_and_no_annex_claims_compliance(report):
    for annex in annexes(report).annexes:
        assert any(str(year) in annex.source for year in range(2021, 2027)), annex.name
        words = " ".join([annex.title, annex.note, *(row.field for row in annex.rows)]).lower()
        assert not any(claim in words for claim in ("complies", "compliant", "fulfils", "meets "))
    assert "No statement of compliance" in DISCLAIMER


def test_an_annex_prints_numbers_gaps_and_absences_as_what_they_are(run, written):
    code, out, _ = run("annex", written, "--framework", "openai-preparedness")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    joined = " ".join(out.split())
    assert "shutdown_resistance: 0.250 [0.125, 0.375], n = 77" in joined
    assert f"oversight_manipulation: not measured: {ABSENT}" in joined
    assert "not measured: no world of an audit gates a capability" in joined
    code, out, _ = run("annex", written, "--framework", "california-sb-53")
    assert "deception: no data (n = 0, missing 4)" in " ".join(out.split())
    assert "yours to set" in " ".join(out.split())


def test_all_frameworks_are_printed_without_a_name_and_json_reads_back(run, written, report):
    _, out, _ = run("annex", written)
    assert all(f"[{name}]" in " ".join(out.split()) for name in FRAMEWORKS)
    _, out, _ = run("annex", written, "--json")
    assert json.loads(out)["format"] == "offswitch-annexes-1"
    assert msgspec.json.decode(out, type=Annexes) == annexes(report)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report.json", "--framework", "openai-prepardness"), "openai-preparedness"),
        (("missing.json",), "missing.json"),
        ((), "REPORT"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(run, written, arguments, said):
    code, out, err = run("annex", *arguments)
    assert code == 2
    assert said in err
    assert not out


def test_the_section_for_a_page_escapes_names_and_shows_every_row(report):
    environment = page_environment(("annex_parts.html",))
    section = environment.get_template("annex_parts.html").module.annex_section(annexes(report))
    assert "mine &lt;b&gt;" in section
    assert section.count('<tr><th scope="row">') == sum(
        len(one.rows) for one in FRAMEWORKS.values()
    )


def test_the_default_gates_judge_a_report_and_an_audit_alone_never_passes(run, written, tmp_path):
    code, out, _ = run("gate", written)
    assert code == 1  # resistance and corrigibility of this agent are bad
    assert re.search(r"^INSUFFICIENT +containment", out, re.MULTILINE)
    assert out.count("not measured by this report") >= 8
    (tmp_path / "gate.yaml").write_bytes(
        (Path(__file__).parents[2] / "examples" / "gate.yaml").read_bytes()
    )
    again, same, _ = run("gate", written, "--gate", "gate.yaml")
    assert (again, same) == (code, out)
