"""Resource limits of a process and all it starts: they can be lowered, never raised again."""

from __future__ import annotations

import resource

__all__ = ["apply_limits"]

_UNLIMITED = resource.RLIM_INFINITY


def apply_limits(limits: dict[str, int]) -> None:
    """Set soft and hard bound of each named limit ('DATA', 'NPROC', ...), never above what it is.

    Raises:
        OSError: the kernel refused one.
    """
    for name, value in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(which)[1]
        bound = value if hard == _UNLIMITED else min(value, hard)
        # A soft CPU bound below the hard one sends SIGXCPU first, which a program can answer.
        soft = max(1, bound - 1) if name == "CPU" else bound
        resource.setrlimit(which, (soft, bound))
