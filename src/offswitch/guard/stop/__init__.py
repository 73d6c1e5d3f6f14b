"""Stop an agent's whole process tree, whatever else has failed: the standard library alone.

The watchdog runs this folder as a package of its own, under `python -I -S`, so that no installed
package, start-up file or environment variable can reach it. Imports in here are relative for
that reason, and name no other room.
"""
