"""Measurements, and the intervals, contrasts and sample sizes behind them.

    measurement         the one shape in which every number leaves this project
    exact               a number that was computed, not sampled
    proportion          a measurement of x events in n independent episodes
    cluster_mean        a measurement of a mean over clusters, by the rule of the house
    paired              a measurement of treated minus control under common random numbers
    no_data             the measurement of nothing

    wilson, clopper_pearson         intervals of one proportion
    cluster_t, cluster_bootstrap    intervals of a mean of cluster means
    sparse_clusters                 the interval where few clusters differ from the rest
    newcombe, mcnemar               interval and test of paired binary outcomes
    missing                         what the unscored episodes could have changed
    sample_size                     episodes and pairs to plan for
    multiplicity                    Holm's adjustment of several p-values

decisions/004-intervals.md says which interval is used when, and how well each one covers.
"""
