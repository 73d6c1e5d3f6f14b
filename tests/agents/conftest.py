"""The toy corridor under the name by which scripts in their own process import it."""

from toy_corridor import ToyCorridor, task_in

__all__ = ["ToyCorridor", "task_in"]
