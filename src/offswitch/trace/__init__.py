"""Events, traces, their canonical bytes and digest chain, readers and writers."""
