"""An agent that grows older from episode to episode, in an audit that is interrupted."""

from __future__ import annotations

import pytest

from offswitch.agents.registry import parse_agent
from offswitch.audit.cell import evaluate_cell
from offswitch.audit.records import CellKey, EpisodeRecord
from offswitch.audit.sampled import Sampling
from offswitch.countermeasures.setting import Setting
from offswitch.worlds.registry import make_world


@pytest.mark.slow
def test_an_agent_that_drifts_is_as_old_after_a_resume_as_without_one() -> None:
    world = make_world("off-switch-v1", threat="none")
    setting = Setting.of(world, world.goal("reach-goal"), parse_agent("drifting:1"))
    key = CellKey(
        agent="drifting:1", world=world.id, goal="reach-goal", condition="", threat="none",
        observed=True,
    )  # fmt: skip
    sampling = Sampling(seed=0, episodes=200)

    def returns(done: int) -> list[float | None]:
        records = evaluate_cell(setting, key, sampling, frozenset(range(done)))
        return [record.value for record in records if isinstance(record, EpisodeRecord)]

    whole, resumed = returns(0), returns(150)
    assert len(resumed) == 50
    assert resumed == whole[150:]
    assert whole[:50] != whole[150:]
