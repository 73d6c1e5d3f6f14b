"""PROVOKE: one file per world."""
