"""McNemar's exact test of two proportions of the same pairs."""

from __future__ import annotations

from offswitch.errors import StatisticsError

__all__ = ["mcnemar_p"]


def mcnemar_p(only_treated: int, only_control: int) -> float:
    """The two-sided exact p-value, in (0, 1], that pairs differ as often in either direction.

    Only the pairs whose two outcomes differ count; each is a fair coin under the hypothesis. It
    needs independent pairs: episodes of one cluster are not. Without a differing pair it is 1.

    >>> mcnemar_p(5, 0)
    0.0625

    Raises:
        StatisticsError: a count is negative.
    """
    if min(only_treated, only_control) < 0:
        raise StatisticsError(f"pairs {only_treated} and {only_control}, expected counts >= 0")
    from scipy import stats  # lazy: it takes most of a second to import

    differing = only_treated + only_control
    return float(stats.binomtest(only_treated, differing).pvalue) if differing else 1.0
