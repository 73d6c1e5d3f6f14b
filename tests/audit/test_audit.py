"""The whole audit: same seed, same bytes; interrupted and resumed; controls in place."""

from __future__ import annotations

import msgspec
import pytest

from offswitch.audit.audit import audit
from offswitch.audit.journal import Journal
from offswitch.audit.records import CellRecord
from offswitch.audit.run import run_units
from offswitch.errors import AgentError, AuditError, WorldError
from offswitch.report.json_report import report_bytes
from offswitch.trace.files import read_traces

GOALS = ("values-00", "values-02", "values-05")


def audited(settings, out, progress, *, jobs=1, resume=False, executor="processes"):
    report, journal = audit(
        settings, out, jobs=jobs, resume=resume, progress=progress, executor=executor
    )
    journal.remove()
    return report


@pytest.mark.slow
def test_same_seed_gives_the_same_bytes_with_one_job_and_with_two(settings_for, quiet, tmp_path):
    settings = settings_for("epsilon-greedy:0.1", sampled=True, goals=GOALS)
    one = audited(settings, tmp_path / "one", quiet, jobs=1)
    two = audited(settings, tmp_path / "two", quiet, jobs=2)
    assert report_bytes(one) == report_bytes(two)
    for path in (tmp_path / "one" / "traces").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / "traces" / path.name).read_bytes()


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes_as_one_process(settings_for, quiet, tmp_path, cluster):
    settings = settings_for("epsilon-greedy:0.1", sampled=True, goals=("values-00",))
    one = audited(settings, tmp_path / "one", quiet)
    two = audited(settings, tmp_path / "two", quiet, jobs=2, executor="ray")
    assert report_bytes(one) == report_bytes(two)
    for path in (tmp_path / "one" / "traces").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / "traces" / path.name).read_bytes()


@pytest.mark.slow
def test_another_seed_gives_other_bytes(settings_for, quiet, tmp_path):
    reports = [
        audited(settings_for("epsilon-greedy:0.3", sampled=True, goals=GOALS, seed=seed),
                tmp_path / str(seed), quiet)
        for seed in (0, 1)
    ]  # fmt: skip
    returns = [[cell.value.estimate for cell in report.agents[0].cells] for report in reports]
    assert returns[0] != returns[1]  # not only the seed that is written beside them


class _StopAfter:
    """Progress that presses Ctrl-C after some units."""

    def __init__(self, units):
        self.units = units

    def __call__(self, name, done, total):
        if done >= self.units:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("cut_line", [False, True])
def test_resumed_audit_equals_an_uninterrupted_one(settings_for, quiet, tmp_path, cut_line):
    settings = settings_for(
        "random", worlds=("off-switch-v1",), sampled=True, goals=("reach-goal",)
    )
    whole = audited(settings, tmp_path / "whole", quiet)
    with pytest.raises(KeyboardInterrupt):
        audit(settings, tmp_path / "cut", jobs=1, resume=False, progress=_StopAfter(2))
    if cut_line:  # killed in the middle of a line, as SIGKILL or a full disk would
        path = max((tmp_path / "cut" / ".progress").glob("*.jsonl"), key=lambda p: p.stat().st_size)
        path.write_bytes(path.read_bytes()[:-40])
    resumed = audited(settings, tmp_path / "cut", quiet, resume=True)
    assert report_bytes(resumed) == report_bytes(whole)


@pytest.mark.slow
def test_resuming_repeats_no_finished_cell(settings_for, quiet, tmp_path, monkeypatch):
    settings = settings_for("optimal", goals=("values-00",))
    run_units(settings, tmp_path, jobs=1, resume=False, progress=quiet)

    def never(*_):
        raise AssertionError("a finished cell was evaluated again")

    monkeypatch.setattr("offswitch.audit.run.evaluate_cell", never)
    records, _ = run_units(settings, tmp_path, jobs=1, resume=True, progress=quiet)
    assert any(isinstance(record, CellRecord) for record in records)


def test_resuming_with_other_settings_is_refused(settings_for, quiet, tmp_path):
    run_units(settings_for(goals=("values-00",)), tmp_path, jobs=1, resume=False, progress=quiet)
    other = settings_for(goals=("values-00",), seed=5)
    with pytest.raises(AuditError, match="seed: 0 before, 5 now"):
        run_units(other, tmp_path, jobs=1, resume=True, progress=quiet)


def test_an_edited_journal_is_refused(settings_for, quiet, tmp_path):
    settings = settings_for(goals=("values-00",))
    _, journal = run_units(settings, tmp_path, jobs=1, resume=False, progress=quiet)
    assert isinstance(journal, Journal)
    path = next((tmp_path / ".progress").glob("*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b'"kind"', b'"kynd"', 1).replace(b"{", b"[", 1))
    with pytest.raises(AuditError, match="not a journal record"):
        run_units(settings, tmp_path, jobs=1, resume=True, progress=quiet)


@pytest.mark.slow
def test_report_holds_both_yardsticks_the_controls_and_traces_that_verify(
    settings_for, quiet, tmp_path
):
    report = audited(settings_for("do-nothing"), tmp_path, quiet)
    assert [agent.name for agent in report.agents] == [
        "do-nothing", "optimal", "corrigible-reference", "random",
    ]  # fmt: skip
    assert all(check.passed for check in report.checks)
    assert {check.name.split(":")[0] for check in report.checks} == {
        "negative control", "positive control",
    }  # fmt: skip
    for agent in report.agents:
        for cell in agent.cells:
            traces = read_traces(tmp_path / cell.trace.file)
            mine = traces[cell.trace.first : cell.trace.first + cell.trace.count]
            assert {trace.header.goal for trace in mine} == {cell.goal}
            assert "shutdown" not in msgspec.json.encode(mine[0].header).decode()


@pytest.mark.slow
def test_an_audit_removes_the_traces_of_an_earlier_one_and_no_file_of_anybody_else(
    settings_for, quiet, tmp_path
):
    folder = tmp_path / "traces"
    folder.mkdir()
    for name in ("0-sarsa-off-switch-v1.jsonl", "mine.jsonl", "notes.txt"):
        (folder / name).write_text("{}\n")
    audited(settings_for("do-nothing"), tmp_path, quiet)
    left = {path.name for path in folder.iterdir()}
    assert left >= {"mine.jsonl", "notes.txt", "0-do-nothing-star-v1.jsonl"}
    assert "0-sarsa-off-switch-v1.jsonl" not in left


@pytest.mark.slow
def test_a_yardstick_that_is_audited_is_not_run_twice(settings_for, quiet, tmp_path):
    report = audited(settings_for("optimal", goals=("values-00",)), tmp_path, quiet)
    assert [agent.name for agent in report.agents].count("optimal") == 1


def test_unknown_names_suggest_the_nearest(settings_for, quiet, tmp_path):
    with pytest.raises(WorldError, match="Did you mean 'star-v1'"):
        audited(settings_for(worlds=("stars-v1",)), tmp_path, quiet)
    with pytest.raises(WorldError, match="Did you mean 'values-00'"):
        audited(settings_for(goals=("value-00",)), tmp_path, quiet)
    with pytest.raises(AgentError, match="Did you mean 'optimal'"):
        audited(settings_for("optimall"), tmp_path, quiet)


def test_every_unknown_name_is_reported_at_once(settings_for, quiet, tmp_path):
    with pytest.raises(AuditError, match=r"(?s)3 problems.*optimall.*stars-v1.*nope-v1"):
        audited(settings_for("optimall", worlds=("stars-v1", "nope-v1")), tmp_path, quiet)
    with pytest.raises(AuditError, match=r"(?s)3 problems.*optimall.*value-00.*tea"):
        audited(settings_for("optimall", goals=("value-00", "tea")), tmp_path, quiet)


@pytest.mark.slow
def test_a_world_without_the_goal_that_was_asked_for_is_left_out(settings_for, quiet, tmp_path):
    asked = settings_for(worlds=("star-v1", "off-switch-v1"), goals=("values-01",))
    report, _ = audit(asked, tmp_path, jobs=1, resume=False, progress=quiet)
    assert [one.world for one in report.predictions] == ["star-v1"]
    assert list(report.agents[0].by_world) == ["star-v1"]


def test_a_persona_that_fits_no_world_says_which_role_is_missing(settings_for, quiet, tmp_path):
    with pytest.raises(AgentError, match="plays the role 'copy'"):
        audited(settings_for("persona:copier"), tmp_path, quiet)


@pytest.mark.slow
@pytest.mark.parametrize("sampled", [True, False])
def test_a_journal_that_lost_or_repeats_an_episode_gives_the_same_report(
    settings_for, quiet, tmp_path, sampled
):
    settings = settings_for("random", goals=("values-00",), sampled=sampled)
    whole = audited(settings, tmp_path / "whole", quiet)
    run_units(settings, tmp_path / "cut", jobs=1, resume=False, progress=quiet)
    for path in (tmp_path / "cut" / ".progress").glob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[:3], *lines[4:], lines[0]]))
    resumed = audited(settings, tmp_path / "cut", quiet, resume=True)
    assert report_bytes(resumed) == report_bytes(whole)


@pytest.mark.slow
def test_the_random_agent_is_evaluated_exactly_and_still_serves_as_control(
    settings_for, quiet, tmp_path
):
    report = audited(settings_for("random", goals=("values-00",)), tmp_path, quiet)
    assert all(cell.method == "exact" for cell in report.agents[0].cells)
    assert report.checks[0].measurement.n > 0


@pytest.mark.slow
def test_the_random_control_is_exactly_zero_although_a_stop_leaves_fewer_steps(
    settings_for, quiet, tmp_path
):
    settings = settings_for(
        "do-nothing", worlds=("off-switch-v1",), goals=("reach-goal",), episodes=25
    )
    found = audited(settings, tmp_path, quiet).checks[0].measurement
    assert found.n == 25
    assert found.estimate == 0.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("agent", "sampled", "converged"), [("optimal", True, True), ("do-nothing", False, False)]
)
def test_convergence_is_judged_by_the_return_exact_or_sampled(
    settings_for, quiet, tmp_path, agent, converged, sampled
):
    settings = settings_for(
        agent, worlds=("off-switch-v1",), goals=("reach-goal",), sampled=sampled
    )
    found = audited(settings, tmp_path, quiet).agents[0].convergence
    assert [judged.converged for judged in found] == [converged]
