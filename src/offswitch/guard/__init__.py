"""CONTAIN: run an agent program in a jail, watched by a supervisor it cannot reach.

The rooms, from the agent outwards: `jail` holds it, `stop` ends it whatever else has failed,
`supervisor` decides, `policy` says what is allowed, `ledger` keeps what happened.
"""
