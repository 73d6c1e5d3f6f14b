"""PREDICT: what the structure of a decision process rewards, whatever the goal.

| file | what it gives |
|---|---|
| `power` | POWER of every state, with pointwise and simultaneous intervals, and differences |
| `power_limits` | POWER as the discount goes to 0 or to 1 |
| `power_samples` | what each of given goals contributes to POWER |
| `two_agent_power` | POWER of an agent and its overseer, and their correlation |
| `optimality` | how often an action or a tagged event is optimal |
| `instrumental_value` | what an act is worth to a goal beyond a matched alternative |
| `convergence` | the share of goals an act is needed for, or that an agent takes it for |
| `tagged_optimality`, `tagged_event`, `avoidance`, `taken` | needing and taking tagged acts |
| `optimal_actions`, `reward_units` | which actions are optimal, certified, in any unit |
| `prediction` | everything `offswitch predict` says of a process |
| `laws`, `reward_draws` | laws by which goals are drawn, and goals drawn |
| `rules` | decision rules: optimal, Boltzmann, satisficing, quantilizing and the rest |
| `sampling` | how goals are drawn for POWER, and what a mean over them is known to |
| `certificates` | certificates that most goals prefer an act, state or ending, and their checker |
| `stoppability` | whether an agent can still be stopped, whatever its policy |
| `long_run` | where policies go and stay, and the best average reward |
| `goal_sets` | orbits, retargetability, goals that training leaves open |
| `games` | off-switch games: deferring to a human, partial views, assistance games |
| `influence` | influence diagrams: what a graph lets an agent want |
| `control` | obedience, vigilance, caution, instructability, alignment, non-obstruction |
| `impact` | attainable utility and relative reachability |
| `empowerment` | channel capacity of action sequences, bracketed |
| `goal_directedness` | MEG: how well a utility predicts a policy |
| `safe_interruptibility` | what interruptions do to the limit of a learning rule |
| `indifference`, `drest` | agents paid not to care whether, or when, they are stopped |
| `cheap_lunch` | when a planner acts in a region it does not care about |
| `reachable`, `distribution` | states reachable from the start; tables of probabilities, checked |
"""
