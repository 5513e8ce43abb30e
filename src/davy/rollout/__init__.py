"""The rollout state machines: what happens next, decided without touching anything."""
