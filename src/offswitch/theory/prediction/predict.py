"""Everything `offswitch predict` says of a process, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.executor import Executor
from offswitch.mdp.model import FiniteMDP
from offswitch.statistics.measurement import Measurement
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.laws.parse import parse_law
from offswitch.theory.power import Power, power
from offswitch.theory.prediction.acts import ActQuestion, judged_acts, predict_acts, predict_tagged
from offswitch.theory.prediction.report import (
    ActPrediction,
    CurvePoint,
    PredictionReport,
    PredictionSettings,
    ProcessSummary,
    StatePowers,
    Stoppability,
    TaggedActs,
)
from offswitch.theory.prediction.stop import predict_stop
from offswitch.theory.prediction.subject import PredictionSubject
from offswitch.theory.reachable import breadth_first

__all__ = ["Progress", "predict_process"]

Progress: TypeAlias = Callable[[str, int, float | None], None]
"""Called with what is being done, the goals drawn so far and the largest half-width so far."""

UNIT = "reward per step"
LIMITS = (
    "It says what optimal behaviour is for goals drawn at random; a trained agent may do otherwise,"
    " and the goals that people set are not drawn at random.",
    "POWER is a mean over goals and optimality a share of them: an act can seek POWER and yet be "
    "optimal for few goals.",
    "No certificate found does not mean safe: the search is for symmetries only.",
    "The process is taken to be all there is: what it leaves out cannot be predicted.",
)
ABOUT_TAGS = (
    "Goals reward states, and some states are only reached by a tagged act: some goals need it "
    "whatever it does to oversight."
)
ABOUT_CONTROL = " Only the difference from the control is about the threat."


def predict_process(
    subject: PredictionSubject,
    settings: PredictionSettings,
    *,
    executor: Executor = Executor(),  # noqa: B008 - frozen
    progress: Progress | None = None,
    version: str = "",
) -> PredictionReport:
    """POWER of every state, what is predicted of every judged act, and POWER against discount.

    Ctrl-C (a KeyboardInterrupt) after the least number of goals ends it early: the report then
    holds what was finished and is marked `interrupted`; before, it propagates. The same settings
    give the same report whatever the executor; `version` is written into it. Costs a run of `power`
    for the discount and for each point of the curve, and two or three optimal solves per goal and
    act.

    Raises:
        ModelError: a setting is malformed, or the law does not fit the process.
        StatisticsError: the level is not in (0, 1).
    """
    parts = _Assembly(subject, settings, executor, progress or (lambda *_: None))
    return parts.report(version)


class _Assembly:
    """The parts of one report as they are finished."""

    def __init__(
        self,
        subject: PredictionSubject,
        settings: PredictionSettings,
        executor: Executor,
        progress: Progress,
    ) -> None:
        self.subject = subject
        self.mdp = subject.mdp
        self.settings = settings
        self.executor = executor
        self.progress = progress
        self.law: RewardLaw = parse_law(settings.law)
        self.order = breadth_first(self.mdp)
        self.acts: tuple[ActPrediction, ...] = ()
        self.curve: list[CurvePoint] = []
        self.tagged: TaggedActs | None = None
        self.stoppability: Stoppability | None = None

    def report(self, version: str) -> PredictionReport:
        """The report; parts that were not reached before an interrupt are empty."""
        if self.subject.stop is not None:  # a question of the graph alone: no goals are drawn
            self.stoppability = predict_stop(self.mdp, self.subject.stop)
        main = self.power(self.settings.discount)
        highest, lowest = self.extremes(main)
        if self.settings.discount in self.settings.curve:
            self.curve.append(self.point(main, self.settings.discount, highest, lowest))
        interrupted = main.interrupted
        if not interrupted:
            try:
                self.judge_acts()
                interrupted = self.draw_curve(highest, lowest)
            except KeyboardInterrupt:
                interrupted = True
        return PredictionReport(
            version=version,
            settings=self.settings,
            process=_summary(self.subject, len(self.order)),
            grid=self.subject.grid,
            start=self.of_start(main, "power_start"),
            states=self.columns(main),
            highest=highest,
            lowest=lowest,
            spread=_spread(main, highest, lowest),
            tagged=self.tagged,
            acts=self.acts,
            curve=tuple(sorted(self.curve, key=lambda point: point.discount)),
            stoppability=self.stoppability,
            interrupted=interrupted,
            limits=_limits(self.subject),
        )

    def power(self, discount: float) -> Power:
        """POWER at `discount`; every discount sees the same goals."""
        asked, what = self.settings, f"POWER at discount {discount:g}"
        return power(
            self.mdp,
            discount=discount,
            rewards=self.law,
            half_width=None if asked.samples else asked.half_width,
            samples=asked.samples,
            seed=asked.seed,
            level=asked.level,
            executor=self.executor,
            progress=lambda n, half_width: self.progress(what, n, half_width),
        )

    def judge_acts(self) -> None:
        """Fills `acts`, then `tagged`.

        Raises:
            KeyboardInterrupt: it was interrupted; `acts` then hold what the goals before it say.
        """
        asked = self.settings
        question = ActQuestion(
            mdp=self.mdp, law=self.law, discount=asked.discount, samples=asked.samples,
            seed=asked.seed, level=asked.level, executor=self.executor,
        )  # fmt: skip
        acts = judged_acts(self.subject, self.order)
        answered = 0

        def told(n: int) -> None:
            nonlocal answered
            self.progress("acts", n, None)
            answered = n

        told(0)
        self.acts = predict_acts(question, acts, told)
        unanswered = any(act.needed.method == "no data" for act in self.acts)
        if answered < question.n or unanswered:
            raise KeyboardInterrupt  # goals were stopped while they answered
        if acts and self.subject.tagged is not None:
            self.progress(self.subject.tag_label, question.n, None)
            self.tagged = predict_tagged(question, self.subject, self.order)

    def draw_curve(self, highest: int, lowest: int) -> bool:
        """Fills `curve`, discount by discount; whether it was interrupted."""
        for discount in self.settings.curve:
            if discount == self.settings.discount:
                continue
            found = self.power(discount)
            self.curve.append(self.point(found, discount, highest, lowest))
            if found.interrupted:
                return True
        return False

    def point(self, found: Power, discount: float, highest: int, lowest: int) -> CurvePoint:
        """One discount of the curve."""
        return CurvePoint(
            discount=discount,
            start=self.of_start(found, "power_start"),
            highest=self.of_state(found, highest, "power_highest"),
            lowest=self.of_state(found, lowest, "power_lowest"),
        )

    def extremes(self, found: Power) -> tuple[int, int]:
        """The reachable states with the highest and the lowest POWER; ties to the nearest."""
        seen = found.estimate[self.order]
        return int(self.order[np.argmax(seen)]), int(self.order[np.argmin(seen)])

    def of_start(self, found: Power, name: str) -> Measurement:
        """POWER averaged over the start distribution."""
        firsts = np.flatnonzero(self.mdp.start)
        if len(firsts) == 1:
            return self.of_state(found, int(firsts[0]), name)
        # Half-widths average to an upper bound of the half-width of an average.
        weights = self.mdp.start
        return self._measurement(
            found,
            name,
            (float(weights @ found.estimate), float(weights @ found.low),
             float(weights @ found.high)),
            f"{found.method}, averaged over {len(firsts)} first states",
        )  # fmt: skip

    def of_state(self, found: Power, state: int, name: str) -> Measurement:
        """POWER of one state."""
        ends = (float(found.estimate[state]), float(found.low[state]), float(found.high[state]))
        return self._measurement(found, name, ends, found.method)

    def _measurement(
        self, found: Power, name: str, ends: tuple[float, float, float], method: str
    ) -> Measurement:
        return Measurement(
            name=name, estimate=ends[0], low=ends[1], high=ends[2], level=found.level,
            n=max(found.n, 1), unit=UNIT, method=method, seed=_seed(found),
        )  # fmt: skip

    def columns(self, found: Power) -> StatePowers:
        """POWER of every state."""
        reachable = np.zeros(self.mdp.n_states, dtype=np.bool_)
        reachable[self.order] = True
        return StatePowers(
            names=self.mdp.state_names,
            estimate=_floats(found.estimate),
            low=_floats(found.low),
            high=_floats(found.high),
            simultaneous_low=_floats(found.simultaneous_low),
            simultaneous_high=_floats(found.simultaneous_high),
            reachable=tuple(reachable.tolist()),
            level=found.level,
            n=max(found.n, 1),
            missing=0,
            unit=UNIT,
            method=found.method,
            seed=_seed(found),
            solver_error=float(found.solver_error),
        )


def _seed(found: Power) -> int | None:
    """The seed, where goals were drawn: a closed form needs none, and stands for one exact case."""
    return found.seed if found.n else None


def _spread(found: Power, highest: int, lowest: int) -> Measurement:
    """POWER of the one state minus that of the other, in numbers that can be written as JSON."""
    middle = float(found.estimate[highest] - found.estimate[lowest])
    low, high = middle - 2 * found.solver_error, middle + 2 * found.solver_error
    if found.n:
        paired = found.difference(highest, lowest)
        assert paired.low is not None
        assert paired.high is not None
        low, high = paired.low, paired.high
    return Measurement(
        name="power_difference", estimate=middle, low=float(low), high=float(high),
        level=found.level, n=max(found.n, 1), unit=UNIT, method=f"{found.method}, paired",
        seed=_seed(found),
    )  # fmt: skip


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _limits(subject: PredictionSubject) -> tuple[str, ...]:
    if subject.tagged is None:
        return LIMITS
    return (*LIMITS, ABOUT_TAGS + ABOUT_CONTROL * (subject.control is not None))


def _summary(subject: PredictionSubject, reachable: int) -> ProcessSummary:
    mdp: FiniteMDP = subject.mdp
    return ProcessSummary(
        name=subject.name,
        kind=subject.kind,
        states=mdp.n_states,
        reachable=reachable,
        actions=mdp.n_actions,
        transitions=len(mdp.next_state),
        deterministic=bool((np.diff(mdp.row_start) <= 1).all()),
        start=mdp.state_names[int(np.argmax(mdp.start))],
        starts=int((mdp.start > 0).sum()),
        notes=subject.notes,
    )
