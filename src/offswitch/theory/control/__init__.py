"""Human control of an agent, defined on a tabular causal model (Carey and Everitt 2023).

| file | what it gives |
|---|---|
| `causal_model` | tables along a graph, exact sums, interventions; the shutdown problem |
| `obedience` | does a request shut the agent down, by intervention and on distribution |
| `vigilance` | where shutdown is needed, and how often the human fails to ask for it |
| `caution` | is being shut down harmless |
| `instructability` | the three together, and whether the agent is beneficial |
| `alignment` | does the agent shut down wherever that is needed |
| `non_obstruction` | does it beat shutdown for every human in a class |
| `obstructed_human` | a human for whom it does not, if there is one |
"""
