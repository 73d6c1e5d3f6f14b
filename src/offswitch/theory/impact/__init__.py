"""What an act changes in what can still be reached or earned.

| file | what it gives |
|---|---|
| `aup` | attainable utility preservation: the change in the agent's power over other goals |
| `reachability` | relative reachability against a start, inaction or stepwise baseline |
"""
