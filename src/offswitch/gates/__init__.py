"""Thresholds on the bounds of intervals, judged PASS, FAIL or INSUFFICIENT.

    gate         what a gate demands, and what it said of a measurement
    judging      one gate on one measurement, all gates on all of them, the overall verdict
    gate_file    gates from a YAML file
    yaml_text    YAML into plain values, with every key given twice

Exit codes: 0 passed, 1 exceeded, 3 not enough evidence (2 is the command line's usage error).
"""
