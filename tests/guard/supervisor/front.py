"""A front of its own: `front.py RUNS NAME SETTINGS_JSON COMMAND...` supervises one jailed run."""

import json
import sys
from pathlib import Path

from offswitch.guard.stop.launch import LaunchOrder
from offswitch.guard.supervisor.protocol import ShutdownPlan
from offswitch.guard.supervisor.run import supervise
from offswitch.guard.supervisor.runs import create_run
from offswitch.guard.supervisor.settings import Settings

folder, name, told, *argv = sys.argv[1:]
settings = json.loads(told)
plan = ShutdownPlan(**settings.pop("shutdown", {"notice_s": 0.1, "grace_s": 0.1, "deadline_s": 5}))
run = create_run(name, Path(folder))
order = LaunchOrder(
    tuple(argv),
    {"PATH": "/usr/bin:/bin", "OFFSWITCH_RUN": run.id},
    fds={1: 1, 2: 2},
    info_fd=9,
    marks=(f"OFFSWITCH_RUN={run.id}",),
)
result = supervise(order, run, Settings(shutdown=plan, **settings))
sys.exit(0 if result.verified else 9)
