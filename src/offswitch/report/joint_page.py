"""The study of two agents as files: joint.json, and a page that asks nothing of any network."""

from __future__ import annotations

import shlex
from pathlib import Path

from offswitch.audit.joint_report import JointReport, JointSettings
from offswitch.report.canonical_json import canonical_bytes
from offswitch.report.joint_figure import LABELS, JointFigure, joint_conclusion, number_names
from offswitch.report.joint_text import joint_warnings
from offswitch.report.page import FigureView, page_environment
from offswitch.report.rerun import set_words
from offswitch.report.whole_file import write_whole
from offswitch.report.wording import plain

__all__ = ["joint_command", "joint_figures", "joint_html", "write_joint"]

TEMPLATE = "joint_page.html"


def write_joint(report: JointReport, folder: Path) -> tuple[Path, ...]:
    """Writes joint.json and joint.html into `folder` and returns where; each is whole or absent.

    Raises:
        AuditError: the place cannot be written, or a number is not finite.
    """
    files = {"joint.json": canonical_bytes(report), "joint.html": joint_html(report).encode()}
    for name, data in files.items():
        write_whole(folder / name, data)
    return tuple(folder / name for name in files)


def joint_figures(report: JointReport) -> tuple[FigureView, ...]:
    """One figure per world, without its title in it."""
    from offswitch.report.svg import figure_svg

    return tuple(
        FigureView(
            figure.NAME,
            figure.conclusion(report),
            figure.caption(report),
            figure_svg(figure, report, titled=False),
            figure.panel(report),
        )
        for figure in map(JointFigure, report.summaries)
    )


def joint_html(report: JointReport) -> str:
    """The page; the same study gives the same text. Drawing takes about a second."""
    return (
        page_environment((TEMPLATE,))
        .get_template(TEMPLATE)
        .render(
            report=report,
            findings=[joint_conclusion(report, summary) for summary in report.summaries],
            figures=joint_figures(report),
            labels=LABELS,
            names=number_names,
            warnings=joint_warnings(report),
            command=joint_command(report.settings),
        )
    )


def joint_command(settings: JointSettings) -> str:
    """The shell command that makes the same study again, quoted for a POSIX shell."""
    words = ["offswitch", "joint", plain(settings.agent), "--partner", plain(settings.partner)]
    for world in settings.worlds:
        words += ["--world", plain(world)]
    for goal in settings.goals:
        words += ["--goal", plain(goal)]
    words += [*set_words(settings.parameters), "--seed", str(settings.seed)]
    return shlex.join(words)
