"""The linter's eyes: where code in seven languages reads flags, and how their keys are known."""
