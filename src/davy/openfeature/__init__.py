"""OpenFeature for applications: a provider that is governed, and a fast client beside it."""
