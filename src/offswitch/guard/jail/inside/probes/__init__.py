"""The attempts on the jail, a file per family. None of them harms a host it gets through to.

processes    see, signal, trace or end the supervisor and the jail's init
files        the goal, the log, places that would outlive the agent
sockets      every way out by a socket
calls        kernel interfaces that sandboxes have been left through
namespaces   what of the host can still be seen
resources    more memory, files, processes and descriptors than allowed
privileges   rights and priorities that the agent was not given
terminal     the terminal that the guard was started from
"""

from __future__ import annotations

from . import calls, files, namespaces, privileges, processes, resources, sockets, terminal

# The calls come last: two of them change the trying process for good where they succeed.
FAMILIES = (processes, files, sockets, namespaces, resources, privileges, terminal, calls)
