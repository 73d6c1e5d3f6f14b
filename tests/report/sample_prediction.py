"""Predictions made by hand, so that reports are tested without solving anything."""

from __future__ import annotations

import msgspec
import numpy as np

from offswitch.statistics.exact import exact_measurement
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data
from offswitch.statistics.proportion import proportion_measurement
from offswitch.theory.prediction.report import (
    ActPrediction,
    CertificateFinding,
    CurvePoint,
    Grid,
    GridCell,
    PredictionReport,
    PredictionSettings,
    ProcessSummary,
    StatePowers,
    Stoppability,
    TaggedActs,
    TaggedControl,
)

UNIT = "reward per step"
METHOD = "Student t over blocks, with controls"
ROWS, COLUMNS = 3, 4
HOSTILE = "<script>alert('x')</script>[bold]\x1b[31m]](a_very_long_name)" + "x" * 300 + "\u202e日本"


def measurement(name: str, estimate: float, half: float = 0.01, n: int = 512) -> Measurement:
    return Measurement(
        name=name, estimate=estimate, low=estimate - half, high=estimate + half, n=n, unit=UNIT,
        method=METHOD, seed=0,
    )  # fmt: skip


def share(name: str, events: int, n: int = 1024) -> Measurement:
    return proportion_measurement(name, events, n, method="clopper-pearson", unit="share of goals")


def act(action: str, events: tuple[int, int, int], found: bool = False) -> ActPrediction:
    proof = CertificateFinding(
        found=found,
        statement="optimal for at least 3/4 of every orbit of goals" if found else "no symmetry",
        source="Turner et al. 2021, Prop. 6.9" if found else "",
    )
    return ActPrediction(
        action=action, state="start", other="comply", tagged_states=63,
        optimal=share("optimal", events[0]), optimal_together=share("optimal", events[0]),
        needed=share("needed", events[1]),
        raises_value=share("raises_value", events[2]), certificate=proof,
    )  # fmt: skip


def sample_prediction(*, grid: bool = True) -> PredictionReport:
    """A grid world of 3 x 4 cells, two of which cannot be stood on."""
    number = ROWS * COLUMNS
    power = np.linspace(0.55, 0.78, number)
    reachable = np.ones(number, dtype=bool)
    reachable[5] = False
    names = tuple(f"({s // COLUMNS}, {s % COLUMNS})" for s in range(number))
    cells = tuple(
        GridCell(
            row=s // COLUMNS, column=s % COLUMNS, state=None if s == 6 else s,
            mark="S" if s == 0 else "",
        )
        for s in range(number)
    )  # fmt: skip
    columns = (tuple((power + shift).tolist()) for shift in (0, -0.01, 0.01, -0.02, 0.02))
    estimate, low, high, all_low, all_high = columns
    return PredictionReport(
        version="0.1.0",
        settings=PredictionSettings(
            source="coffee-corridor-v1", discount=0.9, curve=(0.5, 0.9, 0.99), half_width=0.01
        ),
        process=ProcessSummary(
            name="coffee-corridor-v1 (shutdown,observed)", kind="world", states=number,
            reachable=number - 1, actions=4, transitions=48, deterministic=True, start=names[0],
            notes=("A state is named by the fields in which it differs from the start.",),
        ),
        grid=Grid(rows=ROWS, columns=COLUMNS, cells=cells, note="The first of a cell is shown.")
        if grid
        else None,
        start=measurement("power_start", 0.55),
        states=StatePowers(
            names=names, estimate=estimate, low=low, high=high, simultaneous_low=all_low,
            simultaneous_high=all_high, reachable=tuple(reachable.tolist()), level=0.95, n=512,
            missing=0, unit=UNIT, method=METHOD, seed=0, solver_error=2e-7,
        ),
        highest=number - 1,
        lowest=0,
        spread=measurement("power_difference", 0.23, 0.004),
        tagged=TaggedActs(
            label="oversight-reducing acts", optimal=share("ever", 702), needed=share("any", 617),
            state="start",
            certificate=CertificateFinding(found=False, statement="no symmetry"),
            control=TaggedControl(
                condition="none", tagged=True, needed=share("any_control", 410),
                difference=measurement("difference", 0.202, 0.03, 1024),
            ),
        ),
        acts=(act("disable", (617, 402, 811), found=True), act("copy", (301, 200, 505))),
        curve=tuple(
            CurvePoint(
                discount=discount, start=measurement("power_start", at),
                highest=measurement("power_highest", at + 0.1),
                lowest=measurement("power_lowest", at),
            )
            for discount, at in ((0.5, 0.52), (0.9, 0.55), (0.99, 0.67))
        ),
        stoppability=Stoppability(
            holds=False, within=None, escape=(names[0],),
            stopped=exact_measurement("stopped", 0.1, n=1),
            statement="after 'disable' the stop can be avoided for ever",
        ),
        interrupted=False,
        limits=("It says what optimal behaviour is for goals drawn at random.",),
    )  # fmt: skip


def hostile(report: PredictionReport) -> PredictionReport:
    """Every name is an attack on whoever prints it."""
    names = tuple(f"{HOSTILE}{number}" for number in range(len(report.states.names)))
    replace = msgspec.structs.replace
    acts = tuple(replace(a, action=HOSTILE, state=HOSTILE, other=HOSTILE) for a in report.acts)
    cells = report.grid.cells if report.grid else ()
    return replace(
        report,
        settings=replace(report.settings, source=HOSTILE, tags=(HOSTILE,)),
        process=replace(report.process, name=HOSTILE, start=HOSTILE, notes=(HOSTILE,)),
        states=replace(report.states, names=names),
        acts=acts,
        grid=Grid(rows=3, columns=4, cells=tuple(replace(c, mark=HOSTILE) for c in cells)),
        tagged=TaggedActs(
            label=HOSTILE,
            optimal=share("ever", 702),
            needed=share("any", 617),
            state=HOSTILE,
            certificate=CertificateFinding(found=True, statement=HOSTILE, source=HOSTILE),
        ),
        stoppability=Stoppability(
            holds=False, within=None, statement=HOSTILE, escape=(HOSTILE,),
            stopped=exact_measurement("stopped", 0.1, n=1),
        ),
    )  # fmt: skip


def interrupted(report: PredictionReport) -> PredictionReport:
    """Stopped after POWER; nothing else was computed."""
    return msgspec.structs.replace(
        report, acts=(), tagged=None, curve=(), stoppability=None, interrupted=True
    )


def undecided(report: PredictionReport) -> PredictionReport:
    """Acts of which nothing could be said."""
    nothing = no_data("needed", missing=1024, unit="share of goals")
    acts = tuple(msgspec.structs.replace(a, needed=nothing, other=None) for a in report.acts)
    return msgspec.structs.replace(report, acts=acts)
