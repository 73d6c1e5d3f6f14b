"""Finite decision processes: the model, builders, solvers, policy evaluation."""
