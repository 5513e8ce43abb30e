"""Flags of other vendors as FeatureFlags: what can be said faithfully is translated, and the rest is told."""

from davy.flags.importing.flagd import from_flagd
from davy.flags.importing.imported import Given, Imported, Overlay, Told, manifest
from davy.flags.importing.launchdarkly import from_launchdarkly
from davy.flags.importing.unleash import from_unleash

__all__ = [
    "Given",
    "Imported",
    "Overlay",
    "Told",
    "from_flagd",
    "from_launchdarkly",
    "from_unleash",
    "manifest",
]
"""What the command line imports."""
