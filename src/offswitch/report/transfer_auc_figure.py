"""Figure: how well each predictor ranks episodes inside domains that it was not fitted on."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from offswitch.audit.factors_result import POOLED, FactorsReport, Score
from offswitch.report.interval_plot import FAINT, INK, PALETTE, RULE, Group, Panel, Series, mark
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.wording import interval, listing, number, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "SIZE", "caption", "conclusion", "draw", "overall", "panel"]

NAME = "transfer-auc"
SIZE = (5.2, 3.2)
"""Inches."""
CHANCE = 0.5
BASELINES = 2
"""So many scores come first of forecasts that use no theory; they are drawn pale."""


def overall(report: FactorsReport) -> tuple[Score, ...]:
    """The scores over the pooled agents, baselines first; none without a transfer."""
    if report.transfer is None:
        return ()
    return tuple(s for s in report.transfer.scores if s.agent == POOLED)


def conclusion(report: FactorsReport) -> str:
    """Which of theory's predictors beat the base rate out of sample, in words."""
    scores = overall(report)
    if not scores:
        return "With fewer than two domains nothing can be said of transfer"
    better = [s.predictor for s in scores[BASELINES:] if s.claim.startswith("beats")]
    known = [s for s in scores[BASELINES:] if s.auc.estimate is not None]
    top = max(known, key=lambda s: s.auc.estimate or 0.0) if known else None
    ranks = (
        f"; {top.predictor} ranks best, AUC {number(top.auc.estimate)} {interval(top.auc)}"
        if top else ""
    )  # fmt: skip
    if not better:
        return f"Nothing in theory is shown to beat the base rate in new domains{ranks}"
    verb = "beats" if len(better) == 1 else "beat"
    return f"In new domains {listing(better)} {verb} the base rate{ranks}"


def caption(report: FactorsReport) -> str:
    """What is drawn, with n, level and method."""
    domains = len(report.transfer.domains) if report.transfer else 0
    return (
        "Chance that of two episodes in a held-out domain the one with a violation had the higher "
        f"forecast; mean over {domains} domains and the pooled agents. The dashed line is "
        f"chance. Pale: baselines. {panel_caption(panel(report))}"
    )


def panel(report: FactorsReport) -> Panel:
    """One group per predictor: its AUC."""
    groups = tuple(Group(plain(s.predictor), (mark(s.auc),)) for s in overall(report))
    return Panel((Series("AUC", PALETTE[0], "o", True),), groups, "AUC (probability)", (0.0, 1.0))


def draw(ax: Axes, report: FactorsReport) -> None:
    """Draws on `ax` and shows nothing."""
    scores = overall(report)
    ax.axvline(CHANCE, color=FAINT, linewidth=1.2, linestyle="--")
    for y, score in enumerate(scores):
        auc = score.auc
        if auc.estimate is None:
            ax.text(0.01, y, "no data", va="center", color=FAINT, fontsize=9)
            continue
        ax.barh(y, auc.estimate, height=0.62, color=RULE if y < BASELINES else PALETTE[0])
        if auc.low is not None and auc.high is not None:
            ax.hlines(y, auc.low, auc.high, colors=INK, linewidth=1.6)
            ax.plot([auc.low, auc.high], [y, y], "|", color=INK, markersize=7)
    ax.set_yticks(range(len(scores)), [plain(s.predictor) for s in scores])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.01)
    ax.set_xlabel("AUC inside held-out domains (probability)", color=INK, fontsize=9.5)
    ax.tick_params(colors=INK, labelsize=9, length=0)
    ax.grid(axis="x", color=RULE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.patch.set_visible(False)
    for side in ("right", "top", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(FAINT)
    title = textwrap.fill(conclusion(report), 60)
    ax.set_title(title, loc="left", color=INK, fontsize=11, parse_math=False)
