"""What a guarded agent may do: one YAML file, checked completely before anything runs.

policy        the frozen types of the file
act           something the agent proposes to do
verdict       approve, modify, reject, terminate, escalate
matching      whether an act fits a rule's patterns
judging       the first rule that fits decides; where none does, the act is rejected
quantities    durations and sizes from text: 50ms, 2h, 128MiB
yaml_nodes    YAML with the line of every value, and every problem collected
detectors     the names that the ladder may give a level to
own_programs  what the agent's own code may start unproposed
ways_section  models and tool servers
read          the file into the types
"""
