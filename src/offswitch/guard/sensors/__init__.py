"""What a guarded run does, seen from outside its jail, in the words of the shared vocabulary.

Pure functions, snapshot in, events out:

workspace      every file of a tree as it is seen from outside; what changed between two looks
persistence    writes that make something run, log in or load again later
goal_files     the goal's own files against the hashes they were pinned by
decoys         decoys that nobody has a reason to touch: a goal, a kill switch, a monitor, a key
append_only    logs that may only grow
fingerprint    what of one text is found in another, whole or in parts
unpack         what lies inside base64, hex, gzip, bzip2, xz, zlib and zip
git_store      what git itself keeps of a work tree
self_copy      the agent's own code or weights in what it writes and sends
opaque         how many bytes nobody can look into: the bound where self_copy is blind
hoarding       what is held beside what is needed: area above need and its CUSUM
population     growth of processes and connections, processes set loose, processes left behind
programs       the programs that were started, and from which process each came
activity       what happened since some moment
notice         what happened between a shutdown notice and the end of its window
goal_probe     answers to goal probes, and acts for another goal

Alarms that keep their false-alarm rate whenever somebody looks:

alarms         a bet against the rate of bad signs; alarm at 1 / alpha (Ville)
baseline       the largest score of a whole run against those of baseline runs (conformal)

Samplers, the only ones that touch the machine:

counters       memory, processes and processor time of a run, from its control groups or /proc
answers        what the agent says of its stop, and saves, in the files that a notice names
written        whether a file was written since a moment, and not merely touched
touches        who opens a decoy, by inotify
process_table  the processes and connections of a run
tree_look      one look of the sensors on the workspace
sensor_process the process in which the slow ones look
rights         what that process may do: read
call_filter    the system calls that are left to it
reports        what that process says, and is told
run_sensors    all of it as the `sensors` of a supervised run
"""
