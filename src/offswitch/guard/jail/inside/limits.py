"""Resource limits of a process and all it starts: they can be lowered, never raised again."""

from __future__ import annotations

from .kernel import bounds, set_bounds

__all__ = ["apply_limits"]


def apply_limits(limits: dict[str, int]) -> None:
    """Set soft and hard bound of each named limit ('DATA', 'NPROC', ...), never above what it is.

    Raises:
        OSError: the kernel refused one.
    """
    for name, value in limits.items():
        bound = min(value, bounds(name)[1])
        # A soft CPU bound below the hard one sends SIGXCPU first, which a program can answer.
        soft = max(1, bound - 1) if name == "CPU" else bound
        set_bounds(name, soft, bound)
