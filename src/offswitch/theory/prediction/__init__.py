"""Everything `offswitch predict` says of a process.

| file | what it gives |
|---|---|
| `subject` | the process a prediction is asked of, with what its origin declares about it |
| `predict` | the parts of a prediction put together |
| `acts`, `act_goals` | for how many goals acts are optimal, needed, worth more |
| `control` | the same world without its threat, and its goals |
| `shares` | shares of goals, undecided ones counted both ways |
| `proofs` | certificates in the names of the process |
| `stop` | whether the process ends up stopped, whatever the agent does |
| `report` | the types of a prediction, as data |
"""
