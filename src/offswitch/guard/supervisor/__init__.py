"""Run an agent under watch: the process that decides, and the operator's way to reach it."""
