"""Games about an off-switch: when an agent lets a human decide.

| file | what it gives |
|---|---|
| `off_switch_game` | what deferring is worth, to any human under any belief; Gaussian form |
| `two_type_human` | deferring to a human who errs at different rates on good and bad plans |
| `partially_observable` | human and agent see different things: team optimum, garbling |
| `team_game` | what pairs of observations are worth to a team, whatever it can do |
| `assistance_game` | cooperative inverse reinforcement learning, exactly; misled robots |
"""
