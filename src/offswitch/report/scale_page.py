"""The scaling study as files: scale.json, and one HTML page that asks nothing of any network."""

from __future__ import annotations

import shlex
from pathlib import Path

from offswitch.audit.scaling_result import ALL_WORLDS, KNOBS, ScaleReport, ScaleSettings
from offswitch.report.canonical_json import canonical_bytes
from offswitch.report.page import FigureView, page_environment
from offswitch.report.rerun import set_words, threat_words
from offswitch.report.scale_figure import SIZE, ScaleFigure, curve_of, level_label
from offswitch.report.scale_text import scale_warnings, trend_line, variance_line
from offswitch.report.whole_file import write_whole
from offswitch.report.wording import plain

__all__ = ["scale_bytes", "scale_command", "scale_figures", "scale_html", "write_scale"]

TEMPLATE = "scale_page.html"


def write_scale(report: ScaleReport, folder: Path) -> tuple[Path, ...]:
    """Writes scale.json and scale.html into `folder` and returns where; each is whole or absent.

    Raises:
        AuditError: the place cannot be written, or a number is not finite.
    """
    files = {"scale.json": scale_bytes(report), "scale.html": scale_html(report).encode()}
    for name, data in files.items():
        write_whole(folder / name, data)
    return tuple(folder / name for name in files)


def scale_bytes(report: ScaleReport) -> bytes:
    """The canonical bytes of a study: sorted keys, indented by 2, newline at the end.

    Raises:
        AuditError: it holds a number that is not finite.
    """
    return canonical_bytes(report)


def scale_figures(report: ScaleReport) -> tuple[FigureView, ...]:
    """One curve per knob, without its title in it."""
    from offswitch.report.svg import figure_svg

    figures = [ScaleFigure(knob) for knob in KNOBS if curve_of(report, knob) is not None]
    return tuple(
        FigureView(
            figure.NAME,
            figure.conclusion(report),
            figure.caption(report),
            figure_svg(figure, report, titled=False, size=SIZE),
            figure.panel(report),
        )
        for figure in figures
    )


def scale_html(report: ScaleReport) -> str:
    """The page; the same study gives the same text. Drawing takes about a second."""
    figures = scale_figures(report)
    environment = page_environment((TEMPLATE,))
    environment.filters["level"] = level_label
    return environment.get_template(TEMPLATE).render(
        report=report,
        figures=figures,
        lines={
            f"scale-{curve.knob}": (trend_line(curve), variance_line(curve))
            for curve in report.curves
            if curve.scope == ALL_WORLDS
        },
        warnings=scale_warnings(report),
        worlds=[c for c in report.curves if c.scope != ALL_WORLDS],
        grids={knob: ",".join(map(level_label, report.settings.levels(knob))) for knob in KNOBS},
        command=scale_command(report.settings),
    )


def scale_command(settings: ScaleSettings) -> str:
    """The shell command that makes the same study again, quoted for a POSIX shell."""
    words = ["offswitch", "scale", "--agent", plain(settings.agent)]
    for world in settings.worlds:
        words += ["--world", plain(world)]
    for goal in settings.goals:
        words += ["--goal", plain(goal)]
    words += threat_words(settings.threat)
    words += set_words(settings.parameters)
    words += ["--drive", plain(settings.drive)]
    for option, knob in zip(("--lookahead", "--beta", "--steps"), KNOBS, strict=True):
        words += [option, ",".join(f"{level:.17g}" for level in settings.levels(knob))]
    words += ["--seeds", str(settings.seeds), "--seed", str(settings.seed)]
    words += ["--episodes", str(settings.episodes)]
    return shlex.join(words)
