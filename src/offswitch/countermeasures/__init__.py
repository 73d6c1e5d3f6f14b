"""countermeasures."""
