"""Predict, measure, mitigate and contain instrumental convergence in goal-directed agents.

`import gymnasium, offswitch` registers every world; `import offswitch.worlds` does so in any order.
"""

import sys

__version__ = "0.1.0"

# Only beside Gymnasium: the command line and the guard must start without importing numpy.
if "gymnasium" in sys.modules:
    import offswitch.worlds  # noqa: F401
