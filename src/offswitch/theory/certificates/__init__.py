"""Theorems about most goals, turned into certificates that a small program can check.

| file | what it gives |
|---|---|
| `certify` | a certificate that an act, state or ending beats another for most goals, or none |
| `certificate` | the frozen types, their words and their JSON |
| `verify`, `supports` | the checker: shares nothing with the search but the types |
| `questions` | what each theorem asks of its witnesses |
| `transition_symmetry` | the involution that embeds one option in another, any discount |
| `recurrent_symmetry` | the same for where policies settle, discount 1 |
| `copies` | as many embeddings as leave one another's images alone |
| `embedding` | the backtracking search behind both |
| `colours`, `simulation` | what tells most states apart before the search |

Nothing is imported here. No outcome of a search says that anything is harmless: a theorem that does
not apply is no evidence of the opposite.
"""
