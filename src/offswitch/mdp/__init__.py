"""Finite decision processes: the model, builders, solvers, policy evaluation.

| file | what it gives |
|---|---|
| `model` | `FiniteMDP`, validated once |
| `from_gymnasium`, `from_graph`, `files` | processes from tables, graphs and files |
| `solve` | optimal values and actions with a certified error, discounted |
| `batched` | one process solved for many rewards at once, certified: POWER and optimality |
| `finite_horizon` | optimal values and actions of a given number of steps |
| `state_order` | states numbered so that successors come first |
| `value_iteration`, `policy_iteration` | the two methods behind `solve` |
| `certificate`, `advantages` | how far a value may be from optimal, rounding included |
| `action_values` | the value of every action under a given state value |
| `policy_evaluation`, `occupancy`, `hitting` | what a given policy earns, visits and reaches |
| `reward`, `discount`, `allowed`, `policy` | the one place each argument is checked |

Nothing is imported here, so that reading a model does not load the compiler of the solvers.
"""
