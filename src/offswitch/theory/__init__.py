"""PREDICT: what the structure of a decision process rewards, whatever the goal.

| file | what it gives |
|---|---|
| `power` | POWER of every state, with an interval that holds the solver's error |
| `optimality` | for which goals the optimum needs a tagged act, and what forgoing it costs |
| `convergence` | the share of goals that need it, as a `Measurement` |
| `avoidance` | the acts by which a tagged act is surely never taken |
| `reward_draws` | goals drawn uniformly at random |
"""
