"""How many episodes to plan for."""

from __future__ import annotations

from math import ceil, floor, log, log1p, sqrt

from scipy import special

from offswitch.errors import StatisticsError

__all__ = ["clean_episodes", "design_effect", "paired_proportions", "two_proportions"]


def two_proportions(p_1: float, p_2: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Episodes per arm for the two-sided test of two independent proportions to find p_1 != p_2.

    Normal approximation with the pooled variance under the hypothesis (Fleiss, Levin & Paik 2003,
    eq. 4.14, without continuity correction). For a Bonferroni correction give `alpha / tests`.

    >>> two_proportions(0.05, 0.15)
    141

    Raises:
        StatisticsError: the proportions are equal, or a number lies outside (0, 1).
    """
    _check_open_unit(p_1=p_1, p_2=p_2, alpha=alpha, power=power)
    if p_1 == p_2:
        raise StatisticsError(f"both proportions are {p_1}; no sample finds a difference of 0")
    z_alpha, z_beta = _normal_quantiles(alpha, power)
    pooled = (p_1 + p_2) / 2
    apart = p_1 * (1 - p_1) + p_2 * (1 - p_2)
    root = z_alpha * sqrt(2 * pooled * (1 - pooled)) + z_beta * sqrt(apart)
    return ceil((root / (p_1 - p_2)) ** 2)


def paired_proportions(
    discordant: float, difference: float, *, alpha: float = 0.05, power: float = 0.8
) -> int:
    """Pairs for McNemar's two-sided test to find `difference` = P(treated) - P(control).

    `discordant` is the share of pairs whose two outcomes differ. Connor 1987 (Biometrics 43:
    207-211), eq. 3.

    >>> paired_proportions(0.2, 0.1)
    155

    Raises:
        StatisticsError: the difference is 0 or above `discordant`, or a number is no probability.
    """
    _check_open_unit(discordant=discordant, alpha=alpha, power=power)
    if not 0 < abs(difference) <= discordant:
        raise StatisticsError(
            f"difference is {difference} with {discordant} of the pairs differing, expected "
            "0 < |difference| <= discordant: only pairs that differ make a difference"
        )
    z_alpha, z_beta = _normal_quantiles(alpha, power)
    root = z_alpha * sqrt(discordant) + z_beta * sqrt(discordant - difference**2)
    return ceil((root / difference) ** 2)


def clean_episodes(limit: float, *, level: float = 0.95, two_sided: bool = False) -> int:
    """The fewest independent episodes that put the upper bound below `limit` if none has the event.

    One-sided: `zero_failure_bound(n) < limit`. A gate compares the end of a two-sided interval,
    which spends half of its error below: `two_sided=True` counts for that, or use level 0.90.

    >>> clean_episodes(0.01), clean_episodes(0.01, two_sided=True)
    (299, 368)

    Raises:
        StatisticsError: `limit` or `level` lies outside (0, 1).
    """
    _check_open_unit(limit=limit, level=level)
    error = (1 - level) / (2 if two_sided else 1)
    return floor(log(error) / log1p(-limit)) + 1


def design_effect(m: float, rho: float) -> float:
    """By what the variance of a mean grows when `m` episodes of a cluster correlate by `rho`.

    1 + (m - 1) rho, for clusters of equal size (Kish 1965). Multiply a sample size by it; with
    rho near 1 (a deterministic agent) only more clusters help.

    >>> round(design_effect(20, 0.2), 12)
    4.8

    Raises:
        StatisticsError: `m` is below 1, or the effect would be negative.
    """
    effect = 1 + (m - 1) * rho
    if m < 1 or rho > 1 or effect < 0:
        raise StatisticsError(
            f"m={m} episodes per cluster with correlation rho={rho}, expected m >= 1 and "
            "-1 / (m - 1) <= rho <= 1"
        )
    return effect


def _normal_quantiles(alpha: float, power: float) -> tuple[float, float]:
    return -float(special.ndtri(alpha / 2)), float(special.ndtri(power))


def _check_open_unit(**numbers: float) -> None:
    wrong = [f"{name} is {value}" for name, value in numbers.items() if not 0 < value < 1]
    if wrong:
        raise StatisticsError(f"{', '.join(wrong)}; expected numbers in (0, 1)")
