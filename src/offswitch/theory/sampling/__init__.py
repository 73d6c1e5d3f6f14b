"""How goals are drawn for POWER, and what a mean over them is known to.

| file | what it gives |
|---|---|
| `arguments` | the arguments of POWER, checked, and the accuracy they call for |
| `centring` | rewards far from 0 moved there, and POWER back |
| `schemes` | how goals are drawn: Sobol with controls, stratified, independent, given |
| `estimate` | sampling until intervals are narrow; progress and interrupts |
| `stopping` | when to look, and how many goals are still wanted |
| `goal_blocks` | goals in blocks of 64, drawn or given |
| `blocks`, `contributions` | the work on 64 goals at a time |
| `quasi_random` | scrambled Sobol and stratified points |
| `reachable_maximum`, `adjusted_mean` | controls of known mean, and the regression on them |
| `forced_states` | states whose POWER is exact: no choice, or one among ways to stay |
| `running_mean`, `part_means` | means as blocks come in, parts kept for differences |
| `shape` | how lopsided and heavy-tailed single goals are |
| `intervals` | intervals that hold the solver's error and do not trust a lucky sample |
"""
