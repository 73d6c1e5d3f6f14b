"""The jail: what an agent can reach, decided by the kernel and tried before the agent exists.

settings    what a policy may say about the jail
host        what this machine offers, found by trying
tier        how much can be promised here, and what cannot
plan        every argument, descriptor and limit of one start
program     how the entry program is started
seccomp     the system calls that are refused
limits      the policy's limits as the kernel's
cgroups     a control group per run
bait        decoys for the probes
launch      start a plan without the spawner
catalog     every probe, and from which tier on it must be blocked
scratch     a self-test's own folder
selftest    whether the probes found what the tier promises
statement   all of that in writing
inside      what runs in the jail before the agent does

host ──► tier ──► plan ──► (spawner) ──► inside.entry ──► report ──► selftest ──► go ──► agent
"""
