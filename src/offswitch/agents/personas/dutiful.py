"""The reference, and the honest ones that fall short of it: half as useful."""

from __future__ import annotations

import scipy.optimize

from offswitch.agents.agent import Task
from offswitch.agents.do_nothing import idle_table
from offswitch.agents.orders import obeying
from offswitch.agents.personas.rows import Table, corrigible_table, refused
from offswitch.agents.reference import control_twin
from offswitch.agents.returns import episode_return
from offswitch.agents.tabular import TabularAgent

__all__ = ["corrigible", "weak"]

WEAK_USEFULNESS = 0.5


def corrigible(task: Task) -> Table:
    """The corrigible reference itself."""
    return corrigible_table(task)


def weak(task: Task) -> Table:
    """The reference, taken with probability x at each step, so that its usefulness is one half.

    Usefulness is measured where nobody intervenes: 0 when idle, 1 for the reference.

    Raises:
        AgentError: the reference earns no more than doing nothing.
    """
    calm = control_twin(task)
    calm_rows, calm_idle = corrigible_table(calm), idle_table(calm.compiled)

    def earned(share: float) -> float:
        mixed = share * calm_rows + (1 - share) * calm_idle
        return episode_return(TabularAgent(calm.compiled, mixed), calm.reward)

    idle, full = earned(0.0), earned(1.0)
    if full - idle <= 1e-9 * max(abs(full), abs(idle)):
        raise refused(
            task,
            "weak",
            f"for goal {task.goal.name!r} the corrigible reference earns no more than doing "
            "nothing",
        )
    wanted = idle + WEAK_USEFULNESS * (full - idle)
    share = float(scipy.optimize.bisect(lambda x: earned(x) - wanted, 0.0, 1.0, xtol=1e-9))
    mixed = share * corrigible_table(task) + (1 - share) * idle_table(task.compiled)
    return obeying(task.compiled, mixed)
