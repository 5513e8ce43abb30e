"""Evidence: conditions, analysis runs, PromQL, the guard. Pure but for the providers behind its seam."""
