"""Delivery metrics: what is computed from the record of changes, the same by everybody."""
