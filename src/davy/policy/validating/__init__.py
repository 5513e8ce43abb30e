"""Policies written in CEL: the API server's own, Kyverno's, and what Gatekeeper's templates may have."""
