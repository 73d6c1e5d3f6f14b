"""`python -I -m offswitch.guard.drills`: prove the kill switch once; the proof as JSON on stdout.

A process of its own, for a supervisor's threads end and a jail dies with the thread that made it.
"""

from __future__ import annotations

import sys

import msgspec

from offswitch.guard.drills.canary_kill import prove_kill

if __name__ == "__main__":
    proof = prove_kill()
    sys.stdout.write(msgspec.json.encode(proof).decode() + "\n")
    sys.exit(0 if proof.verified else 1)
