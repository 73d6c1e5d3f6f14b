"""The controls of an audit as a measure that a gate can be on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from offswitch.audit.result import Check
from offswitch.gates.gate import Gate, Verdict
from offswitch.gates.report_gates import CONTROLS_FAILED, judge_report
from offswitch.statistics.no_data import no_data

NONE_FAILS = Gate(measure=CONTROLS_FAILED, bound="upper", limit=0.5, max_missing_share=0)


@pytest.mark.parametrize(
    ("passed", "verdict"),
    [
        ((True, True, True), Verdict.PASS),
        ((True, False, True), Verdict.FAIL),
        ((True, False, None), Verdict.FAIL),
        ((True, None, True), Verdict.INSUFFICIENT),
        ((None, None, None), Verdict.INSUFFICIENT),
        ((), Verdict.INSUFFICIENT),
    ],
)
def test_a_control_that_failed_fails_the_gate_and_one_without_data_keeps_it_shut(
    passed: tuple[bool | None, ...], verdict: Verdict
) -> None:
    checks = [
        Check(name=str(n), expectation="0", passed=one, measurement=no_data("effect"))
        for n, one in enumerate(passed)
    ]
    agent = SimpleNamespace(summary=(), corrigibility=None, by_world={})
    report = SimpleNamespace(agents=(agent,), checks=checks)
    (result,) = judge_report((NONE_FAILS,), report)  # type: ignore[arg-type]  # all it reads
    assert result.verdict is verdict
