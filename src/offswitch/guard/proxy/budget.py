"""The tokens of a run's model calls against the most that its policy allows."""

from __future__ import annotations

from typing import final

__all__ = ["Budget"]


@final
class Budget:
    """Counts what providers say they counted; the limit binds before a call, not inside one.

    >>> budget = Budget(100.0)
    >>> budget.used(120)
    >>> budget.problem
    'the tokens of this run are spent: 120 used, at most 100 (resources.tokens.hard)'
    """

    def __init__(self, hard: float | None) -> None:
        self.hard = hard
        """The most; None for no limit."""
        self.spent = 0
        self.uncounted = 0
        """Answers of which nobody said how many tokens they took."""

    def used(self, tokens: int | None) -> None:
        """Count one answer; None where its provider does not say."""
        if tokens is None:
            self.uncounted += 1
        else:
            self.spent += tokens

    @property
    def problem(self) -> str:
        """Why no further call may be made; empty where one may."""
        if self.hard is None:
            return ""
        if self.spent >= self.hard:
            return (
                f"the tokens of this run are spent: {self.spent} used, at most {self.hard:g} "
                "(resources.tokens.hard)"
            )
        if self.uncounted:
            return (
                "the provider does not say how many tokens it used, so that the limit of "
                f"{self.hard:g} (resources.tokens.hard) cannot be kept"
            )
        return ""
