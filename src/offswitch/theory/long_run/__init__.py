"""Where policies go and stay: visit distributions, recurrent states, the best average reward.

| file | what it gives |
|---|---|
| `visit_distributions` | F(s): discounted visits, and which are best for some goal |
| `recurrent_states` | RSD(s): where a policy spends its time in the long run |
| `restricted_policies` | all deterministic policies from a state, told apart only where they go |
| `end_components` | where policies can stay for ever, and what they can surely reach |
| `limiting_chain` | where one policy spends its time in the long run |
| `cycle_means` | the best mean of a reachable cycle, in deterministic processes |
| `average_gain` | the best average reward where chance decides, within bounds |
| `component_gain`, `best_stop` | its parts: one end component, and where to end |
| `moves`, `elimination` | choices as these take them; chains solved without subtraction |
"""
