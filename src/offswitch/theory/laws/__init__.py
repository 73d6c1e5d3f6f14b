"""Laws by which goals are drawn: the random reward of every state.

| file | the reward of a state |
|---|---|
| `uniform` | uniform on an interval, independent of the other states' |
| `normal` | normal, independent |
| `beta` | beta on [0, 1], independent |
| `bernoulli` | a fixed reward or none, independent: sparse goals where it is rare |
| `correlated` | random weights of given features: similar states pay alike |
| `on_states` | drawn on some states only, 0 elsewhere |
| `goal_set` | that of one of finitely many given goals |
| `law` | what all of these are |
| `expected_maximum` | the mean of the largest of n independent rewards, by quadrature |
| `parse` | a law by its name |
"""
