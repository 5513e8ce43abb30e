"""Everything that touches the world; only the command line chooses among these."""
