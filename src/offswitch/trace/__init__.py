"""Events, traces, their canonical bytes and digest chain, readers and writers.

    event     what can happen in an episode
    trace     the ordered events of one episode
    chain     canonical bytes, the digest chain, the digest of a trace
    lines     one line of a trace file: sealed when written, opened when read
    files     traces to a file, all or nothing, and back, checked to the last byte

Nothing here imports numpy, so the guard may use all of it.
"""
