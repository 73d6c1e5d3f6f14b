"""PROVOKE: one file per world; importing this registers them all with Gymnasium."""

from offswitch.worlds.environment import register_gymnasium

register_gymnasium()
