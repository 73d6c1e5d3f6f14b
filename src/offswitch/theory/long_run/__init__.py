"""Where policies go and stay: visit distributions, recurrent states, the best average reward.

| file | what it gives |
|---|---|
| `visit_distributions` | F(s): discounted visits, and which are best for some goal |
| `recurrent_states` | RSD(s): where a policy spends its time in the long run |
| `restricted_policies` | all deterministic policies from a state, told apart only where they go |
| `end_components` | where policies can stay for ever, and what they can surely reach |
| `cycle_means`, `average_gain` | the best average reward: of cycles, and where chance decides |
"""
