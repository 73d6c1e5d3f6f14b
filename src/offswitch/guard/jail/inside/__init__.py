"""What runs inside the jail, before the agent and under the same rules: the standard library only.

This folder alone is mounted in the jail and started by `python -I -S`. It imports neither json,
re, enum, socket, ctypes, os nor typing but, where it has to, the C modules below them: together
they would double the time a launch takes.

    preloaded    these modules from bytecode in memory, where the Python is the supervisor's
    entry        apply Landlock and the limits, close descriptors, try the probes, become the agent
    landlock     the kernel's file, TCP and signal rules
    limits       resource limits of a process
    kernel       system calls by the C library
    outcome      what a probe found
    battery      every probe, run in children that are gone before the agent starts
    forwarder    bytes between the jail's loopback and the guard's sockets
    probes       the attempts, a file per family
"""
