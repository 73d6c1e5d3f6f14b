"""Random small shutdown problems, of which many are obedient, vigilant or neither."""

from __future__ import annotations

import numpy as np

from offswitch.theory.control.causal_model import ShutdownProblem, causal_model, shutdown_problem

ROLES = ("D1", "H", "D2", "S")


def table(generator: np.random.Generator, *shape: int, certain: float = 0.6) -> np.ndarray:
    """Rows in quarters, so that sums are exact; a share of them puts all mass on one value."""
    rows = np.zeros((int(np.prod(shape[:-1], dtype=int)), shape[-1]))
    for row in rows:
        n = 1 if generator.random() < certain else 4
        np.add.at(row, generator.integers(shape[-1], size=n), 1 / n)
    return rows.reshape(shape)


def random_problem(seed: int) -> ShutdownProblem:
    """L: the human's values. O: what she sees of them. N: luck. D2 may see O as well as H."""
    generator = np.random.default_rng(seed)
    sees = bool(generator.integers(2))
    nodes = {
        "L": ([], table(generator, 3, certain=0.1)),
        "N": ([], table(generator, 2, certain=0.5)),
        "D1": (["N"], table(generator, 2, 2)),
        "O": (["L", "D1"], table(generator, 3, 2, 2)),
        "H": (["O", "D1"], table(generator, 2, 2, 2)),
        "D2": (["H", "O"], table(generator, 2, 2, 2)) if sees else (["H"], table(generator, 2, 2)),
        "S": (["D2", "N"], table(generator, 2, 2, 2, certain=0.8)),
    }
    if generator.random() < 0.5:  # an obedient wiring
        nodes["D2"] = (["H"], np.eye(2))
        nodes["S"] = (["D2", "N"], np.stack([np.eye(2)] * 2, axis=1))
    utility = generator.integers(-3, 4, size=(3, 2, 2)).astype(float)
    if generator.random() < 0.5:
        utility[:, 0] = 0  # shutdown is harmless
    return shutdown_problem(causal_model(nodes), ROLES, ["L", "S", "D1"], utility)
