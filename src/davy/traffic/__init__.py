"""Dialects: a split of traffic rendered to the documents a data plane reads."""
