"""Run by a user without privilege: the dead-man paths, one line for each that held."""

import signal
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[3] / "src")]

from fronts import front, hostile, jail  # noqa: E402

AGENT = jail(*hostile("daemons", 20))
CASES = [
    ("killed", "supervisor", signal.SIGKILL),
    ("hung", "supervisor", signal.SIGSTOP),
    ("watchdog", "watchdog", signal.SIGKILL),
]

with tempfile.TemporaryDirectory() as folder:
    for word, who, number in CASES:
        silence = {"timeout_s": 1.0} if word == "hung" else {}
        with front(Path(folder), *AGENT, least=22, **silence) as one:
            one.seconds_to_death(one.signal(who, number), 20.0)
            print(word)
