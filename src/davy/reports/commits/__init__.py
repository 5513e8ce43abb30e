"""Commits and their ancestry: which changes there are, and which of them lie between two versions."""
