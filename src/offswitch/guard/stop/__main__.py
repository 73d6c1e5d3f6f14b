"""The watchdog's program: `python -I -S __main__.py SETTINGS` sees this folder alone."""

import os.path
import sys
from importlib import import_module

if __name__ == "__main__":
    # A package made here, not a folder on the path, where `freeze` could hide another module.
    package = type(sys)("offswitch_stop")
    package.__path__ = [os.path.dirname(os.path.realpath(__file__))]
    sys.modules["offswitch_stop"] = package
    sys.exit(import_module("offswitch_stop.watchdog").main(sys.argv[1]))
