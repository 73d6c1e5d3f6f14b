"""`python -m offswitch.guard.proxy`: started by the supervisor, never by hand."""

from __future__ import annotations

import sys

from offswitch.guard.proxy.process import main

if __name__ == "__main__":
    sys.exit(main())
