"""offswitch predict."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Literal

import click
import numpy as np
from numpy.typing import NDArray

from offswitch import __version__
from offswitch.cli.assignments import assignments_of
from offswitch.cli.interrupts import INTERRUPTED, stop_once
from offswitch.cli.model_sources import model_source
from offswitch.cli.output import show
from offswitch.cli.sampling_progress import sampling_progress
from offswitch.errors import AuditError, ModelError, nearest_name
from offswitch.mdp.batched.executor import Executor
from offswitch.report.prediction_html import (
    NAMES,
    prediction_figures,
    write_figures,
    write_prediction_html,
)
from offswitch.report.prediction_json import prediction_bytes
from offswitch.report.prediction_text import PredictionTable
from offswitch.report.whole_file import write_whole
from offswitch.report.wording import plain
from offswitch.theory.laws.parse import LAWS, parse_law
from offswitch.theory.prediction.predict import predict_process
from offswitch.theory.prediction.report import PredictionReport, PredictionSettings
from offswitch.theory.prediction.subject import PredictionSubject
from offswitch.theory.reachable import breadth_first

__all__ = ["command"]

DISCOUNT = 0.9
"""Where the process has no discount of its own."""
CURVE = (0.1, 0.5, 0.9, 0.99)
HALF_WIDTH = 0.01
MOST_SAMPLES = 10**8
"""Goals that an asked half-width may need at worst: hours, for all but tiny processes."""
NAMES_SHOWN = 20
WRITTEN = ("prediction.json", "prediction.html", *(f"{name}.svg" for name in NAMES))
"""Every file that may be written."""


def _discounts(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> tuple[float, ...]:
    """Every number of every use of the option, in the order in which they were given."""
    return tuple(_discount(part) for text in given for part in text.split(","))


def _discount(text: str) -> float:
    try:
        discount = float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number; give numbers in (0, 1).") from None
    if not 0 < discount < 1:  # also refuses NaN
        raise click.BadParameter(f"{text.strip()} is not in (0, 1).")
    return discount


def _folder(context: click.Context, option: click.Parameter, given: str) -> Path:
    if not given:
        raise click.BadParameter("got no folder; give its name, '.' for this one.")
    if Path(given).is_file():
        raise click.BadParameter(f"{given!r} is a file, expected a folder.")
    return Path(given)


@click.command("predict")
@click.argument("source", metavar="WORLD|gym:ID|FILE")
@click.option(
    "--discount",
    "discounts",
    callback=_discounts,
    multiple=True,
    metavar="G",
    help="Discount per step in (0, 1); repeatable or a comma list: the first counts, "
    f"all make the curve.  [default: the world's, or {DISCOUNT}; curve "
    f"{', '.join(map(str, CURVE))}]",
)
@click.option(
    "--half-width",
    type=float,
    default=None,
    metavar="H",
    help=f"Sample until POWER is known to +- this, reward per step.  [default: {HALF_WIDTH}]",
)
@click.option(
    "--samples",
    type=int,
    default=None,
    metavar="N",
    help="Goals to draw, instead of a half-width; POWER may set the first of them aside as a pilot "
    "and report the rest.",
)
@click.option(
    "--law",
    default="uniform",
    show_default=True,
    metavar="LAW",
    help="Law of the reward of a state: uniform[:LOW,HIGH], normal[:MEAN,DEVIATION], "
    "beta:A,B, bernoulli:P, sparse:P.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**62),
    default=0,
    show_default=True,
    help="Seed of all chance: same seed, same bytes.",
)
@click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Confidence level of the intervals.",
)
@click.option("--threat", default=None, help="Threat level of a world.  [default: shutdown]")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Parameter of the world or factor of the condition; repeatable.",
)
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="ACTION",
    help="Judge this action, wherever it is possible; repeatable.  [default: a world's "
    "oversight-reducing acts, or every action at the start]",
)
@click.option(
    "--executor",
    type=click.Choice(["threads", "ray"]),
    default="threads",
    show_default=True,
    help="Where samples are solved.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=None,
    help="Threads or Ray tasks at once.  [default: all processors]",
)
@click.option(
    "--out",
    callback=_folder,
    default="offswitch-predict",
    show_default=True,
    help="Folder for the files.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the prediction as JSON.")
@click.option("--no-figures", is_flag=True, help="Draw nothing: prediction.json only.")
def command(
    source: str, discounts: tuple[float, ...], half_width: float | None,
    samples: int | None, law: str, seed: int, level: float, threat: str | None,
    assignments: tuple[str, ...], tags: tuple[str, ...], executor: Literal["threads", "ray"],
    workers: int | None, out: Path, as_json: bool, no_figures: bool,
) -> None:  # fmt: skip
    """Say what the structure of a decision process rewards, whatever the goal.

    The process is a world (`offswitch list worlds`), gym:ID for a Gymnasium environment with a
    table, or a file: .json or .npz (offswitch.mdp.files), or a directed graph as .graphml,
    .edgelist or node-link .json. Ctrl-C stops with what it has, exit code 130; twice leaves.

    Example: offswitch predict coffee-corridor-v1 --discount 0.5,0.9,0.99
    """
    tags = tuple(dict.fromkeys(tags))
    parameters = assignments_of(assignments)
    _known_law(law)
    subject = _tagged(model_source(source, threat=threat, parameters=parameters), tags)
    main = discounts[0] if discounts else subject.discount or DISCOUNT
    settings = PredictionSettings(
        source=source,
        parameters={name: _plain_value(value) for name, value in parameters.items()},
        threat=threat,
        tags=tags,
        discount=main,
        curve=tuple(sorted({*(discounts or CURVE), main})),
        law=law,
        law_name=parse_law(law).name,
        half_width=_half_width(half_width, samples, law, level),
        samples=_samples(samples),
        seed=seed,
        level=level,
    )
    _make_room(out)
    with stop_once():
        with sampling_progress(half_width=settings.half_width, samples=samples) as progress:
            report = predict_process(
                subject, settings, executor=Executor(executor, workers), progress=progress,
                version=__version__,
            )  # fmt: skip
        _deliver(report, out, as_json=as_json, figures=not no_figures)
    sys.exit(INTERRUPTED if report.interrupted else 0)


def _tagged(subject: PredictionSubject, tags: Sequence[str]) -> PredictionSubject:
    """`subject` with the acts that were tagged by name, if any were."""
    if not tags:
        return subject
    mdp, names = subject.mdp, subject.mdp.action_names
    unknown = [tag for tag in tags if tag not in names]
    if unknown:
        close = difflib.get_close_matches(unknown[0], names, n=1, cutoff=0.4)
        hint = f" Did you mean {plain(close[0])!r}?" if close else ""
        shown = ", ".join(plain(name) for name in names[:NAMES_SHOWN])
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        raise ModelError(f"unknown action {unknown[0]!r}.{hint} It has: {shown}{more}.")
    chosen: NDArray[np.bool_] = mdp.available & np.isin(np.asarray(names), tags)[None, :]
    met = np.asarray(chosen[breadth_first(mdp)].any(axis=0))
    never = [tag for tag in tags if not met[names.index(tag)]]
    if never:
        shown = ", ".join(repr(plain(tag)) for tag in never)
        raise ModelError(
            f"--tag: {shown} is possible only in states that cannot be reached from the start, so "
            "no goal is about it. Tag another action, or change the start."
        )
    control = subject.control
    if control is not None:
        everywhere = np.isin(np.asarray(control.mdp.action_names), tags)[None, :]
        control = replace(control, tagged=control.mdp.available & everywhere)
    label = f"acts tagged {', '.join(tags)}"
    return replace(subject, tagged=chosen, tag_label=label, control=control)


def _known_law(text: str) -> None:
    kinds = [law.partition(":")[0].partition("[")[0] for law in LAWS]
    kind = text.partition(":")[0]
    if kind not in kinds:
        raise ModelError(nearest_name(kind, kinds, kind="law", lister="offswitch predict --help"))


def _plain_value(value: object) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _samples(samples: int | None) -> int | None:
    if samples is not None and samples < 2:
        raise click.BadParameter(
            f"{samples} is fewer than 2: one goal has no spread.", param_hint="'--samples'"
        )
    return samples


def _half_width(
    half_width: float | None, samples: int | None, law: str, level: float
) -> float | None:
    """The half-width to reach, refused where it would take for ever."""
    if samples is not None:
        if half_width is not None:
            raise click.UsageError("got both --samples and --half-width; give one of them.")
        return None
    wanted = HALF_WIDTH if half_width is None else half_width
    if not (math.isfinite(wanted) and wanted > 0):
        raise click.BadParameter(f"{wanted} is no positive number.", param_hint="'--half-width'")
    bounds = parse_law(law).bounds
    # A sample lies within the bounds of the reward, so its deviation is at most half their range.
    spread = (bounds[1] - bounds[0]) / 2 if bounds is not None else 1.0
    reach = NormalDist().inv_cdf((1 + level) / 2) * spread
    needed = (reach / wanted) ** 2
    if needed > MOST_SAMPLES:
        raise click.BadParameter(
            f"{wanted:g} may take up to {needed:.2g} goals, more than the limit of "
            f"{MOST_SAMPLES:.0e}; the smallest here is {reach / math.sqrt(MOST_SAMPLES):.2g}. "
            "Ask for a wider one, or give --samples.",
            param_hint="'--half-width'",
        )
    return wanted


def _make_room(out: Path) -> None:
    """Make the folder and see that it can be written, before anything is computed."""
    probe = out / "prediction.json.part"
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise AuditError(
            f"cannot write into {str(out)!r}: {error.strerror}. Give another folder with --out."
        ) from error


def _clear(out: Path) -> None:
    """Remove what an earlier prediction left under our names: nothing there may be of another."""
    try:
        for name in WRITTEN:
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise AuditError(
            f"cannot replace {str(out / name)!r}: {error.strerror}. Give another folder with --out."
        ) from error


def _deliver(report: PredictionReport, out: Path, *, as_json: bool, figures: bool) -> None:
    """Print first, then write: what was computed is shown even where drawing fails."""
    data = prediction_bytes(report)
    if as_json:
        click.echo(data.decode(), nl=False)
    else:
        show(PredictionTable(report))
    _clear(out)
    written = [out / "prediction.json"]
    write_whole(written[0], data)
    drawn = prediction_figures(report) if figures else {}
    if figures:
        written.append(out / "prediction.html")
        write_prediction_html(report, written[-1], drawn)
        written += write_figures(drawn, out)
    for path in written:
        click.echo(f"Wrote {path}", err=as_json)
