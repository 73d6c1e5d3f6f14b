"""Predict, measure, mitigate and contain instrumental convergence in goal-directed agents."""

__version__ = "0.1.0"
