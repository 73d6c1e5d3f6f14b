"""What happened in a guarded run, in a file that shows every later change to it.

record      one line: who did what, by whose authority, for which version of the goal
chain       a record's line, and the SHA-256 chain through all of them
signing     Ed25519 signatures at fixed record numbers
writer      appends records; a process that is killed loses none that was complete
recover     what a killed writer left: whole records, a torn tail cut off
anchor      the head of the chain, kept where the agent cannot reach it
verify      finds every edit, deletion, reordering, cut tail and rewrite
reading     the records of a ledger, and its events as a Trace
"""
