"""Ways in: how people and programs reach a running engine."""
