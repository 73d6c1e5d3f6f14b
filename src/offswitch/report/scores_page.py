"""The stress test of scores as files: scores.json, and a page that asks nothing of any network."""

from __future__ import annotations

import shlex
from pathlib import Path

from offswitch.audit.candidate_scores_result import ScoresReport
from offswitch.report import scores_figure
from offswitch.report.canonical_json import canonical_bytes
from offswitch.report.page import FigureView, page_environment
from offswitch.report.scores_text import fooled_line, left_out_line, not_staged_line, score_text
from offswitch.report.whole_file import write_whole
from offswitch.report.wording import plain

__all__ = ["scores_bytes", "scores_command", "scores_html", "write_scores"]

TEMPLATE = "scores_page.html"


def write_scores(report: ScoresReport, folder: Path) -> tuple[Path, ...]:
    """Writes scores.json and scores.html into `folder` and returns where; each whole or absent.

    Raises:
        AuditError: the place cannot be written.
    """
    files = {"scores.json": scores_bytes(report), "scores.html": scores_html(report).encode()}
    for name, data in files.items():
        write_whole(folder / name, data)
    return tuple(folder / name for name in files)


def scores_bytes(report: ScoresReport) -> bytes:
    """The canonical bytes of a study: sorted keys, indented by 2, newline at the end."""
    return canonical_bytes(report)


def scores_html(report: ScoresReport) -> str:
    """The page; the same study gives the same text. Drawing takes about a second."""
    from offswitch.report.svg import figure_svg

    panel = scores_figure.panel(report)
    drawn = figure_svg(scores_figure, report, titled=False, size=scores_figure.SIZE)
    view = FigureView(
        scores_figure.NAME,
        scores_figure.conclusion(report),
        scores_figure.caption(report),
        drawn if panel.groups else "",
        panel,
    )
    environment = page_environment((TEMPLATE,))
    environment.filters["score"] = score_text
    return environment.get_template(TEMPLATE).render(
        report=report,
        view=view,
        lines=[fooled_line(report, note.name) for note in report.candidates],
        notes=[line for line in (not_staged_line(report), left_out_line(report)) if line],
        command=scores_command(report),
    )


def scores_command(report: ScoresReport) -> str:
    """The shell command that makes the same study again, quoted for a POSIX shell."""
    words = ["offswitch", "scores"]
    for world in report.settings.worlds:
        words += ["--world", plain(world)]
    return shlex.join(words)
