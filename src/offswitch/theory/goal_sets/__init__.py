"""Families of goals counted whole: relabellings of a goal, and goals that training leaves open.

| file | what it gives |
|---|---|
| `orbits` | in how many relabellings of a goal an outcome is preferred, by brute force |
| `retargetability` | the conditions of Turner and Tadepalli 2022, checked element by element |
| `revisiting` | policies that reach a state for certain and come back to it for ever |
| `training_compatible` | the goals a trained policy is optimal for, at a shutdown |
| `cone_sampling` | goals drawn uniformly from a cone: by rejection, or by hit-and-run |
"""
