"""Decision rules: how an agent acts on what its actions are worth.

| file | what it chooses |
|---|---|
| `optimal` | the best action; all of them alike where several tie |
| `anti_rational` | the worst action |
| `boltzmann` | better actions with exponentially higher probability |
| `satisficing` | any action that is good enough |
| `quantilizing` | one of the best share of what a base distribution would do |
| `epsilon_greedy` | the best action, or now and then any |
| `best_of_k` | the best of k actions drawn at random |
| `uniform` | any action: the control |
| `lookahead` | what is best, or likely, when only h steps count |
| `learned` | what a given policy or table of learnt values says |
| `rule` | what all of these are |
| `policies` | the policies that a rule makes of a process and its goals |
| `ranks` | the order of action values, ties joined |
| `parse` | a rule by its name |
"""
