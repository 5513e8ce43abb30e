"""The loop: look, decide, write down, act."""
