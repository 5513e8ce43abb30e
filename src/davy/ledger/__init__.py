"""The record: what is written down about every change, append-only."""
