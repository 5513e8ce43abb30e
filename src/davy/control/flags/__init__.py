"""Flags of an engine: what they are in its environment, what kills them, what opens gates, who has heard."""
