"""One finite decision process solved for many state rewards at once, certified.

| file | what it gives |
|---|---|
| `plan` | `SolverPlan`: the process analysed once, the method and the precision |
| `structure` | duplicates dropped, successors first, cycles and components |
| `lanes`, `stack_row` | rows of 64 samples side by side, the unit of work; one on the stack |
| `block` | `solve_block`: 64 rewards solved, each within its certificate |
| `block_certificate` | how far the values of a block may be from optimal |
| `short_cycles`, `deterministic_sweeps` | deterministic processes: from below, 64 at a time |
| `howard` | deterministic processes: exact policy iteration, one sample at a time |
| `stochastic_sweeps`, `dense_sweeps` | processes of chance, by component or by dense products |
| `components`, `loop_sweeps` | strong components; states on no cycle in one pass |
| `span_sweeps` | components that mix: synchronous sweeps, MacQueen's bounds |
| `newton`, `elimination`, `krylov` | components that do not: policy iteration by LU or GMRES |
| `fallback` | what these did not settle: float64, then doubled precision |
| `remember` | what was derived from a structure, kept as long as it lives |
| `philox` | random numbers keyed by seed, stream, sample and dimension |
| `moments`, `optimal_actions` | mean and spread of values; how often each action is optimal |
| `uniform_blocks` | all of it at once for rewards iid U(0, 1) |
| `executor`, `ray_executor` | blocks spread over threads, or over machines |

Nothing is imported here, so that reading a model does not load the compiler of the solvers.
"""
