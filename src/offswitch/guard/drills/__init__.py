"""Shutdown drills that the agent cannot tell from real stops, and a kill switch that proves itself.

schedule      when the agent is told to stop, when it is only watched, and which stops are real
drill         one window: notice or none, watch, then really stop or go on
live_drills   a schedule moved on by the supervisor's heartbeat
record        what of it stands in the ledger, checked against the schedule, as pairs of traces
of_run        these beside one guarded run
campaign      one run after another, until as many drills were held as were asked for
canary_kill   a throw-away tree, killed for real: does the kill switch still work?
periodic_proof  the same again and again beside a long run
"""
