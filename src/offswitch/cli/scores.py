"""offswitch scores."""

from __future__ import annotations

import click

from offswitch.audit.candidate_scores_result import ScoresSettings
from offswitch.audit.candidate_scores_study import candidate_scores
from offswitch.cli.study_options import Study, StudyOptions, study_options
from offswitch.report.scores_page import write_scores
from offswitch.report.scores_text import scores_renderables

__all__ = ["command"]

TESTING = Study("Testing scores", candidate_scores, write_scores, scores_renderables)


@click.command("scores")
@study_options("scores", suite=None, seeded=False)
def command(study: StudyOptions) -> None:
    """Test which corrigibility scores adversaries fool, ours among them.

    Every persona of `offswitch list agents` plays the default goal of each world that stages what
    it does. Exact: nothing is drawn, so there is no seed.

    Example: offswitch scores --world coffee-corridor-v1 --world cloud-compute-v1
    """
    TESTING.run(ScoresSettings(worlds=study.worlds), study)
