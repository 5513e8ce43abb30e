"""Following Git repositories: what is new there, and in rollouts of it, becomes entries."""
