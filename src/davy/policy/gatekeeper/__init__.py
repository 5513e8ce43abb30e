"""OPA Gatekeeper's policies, as they are written: templates, constraints, expansion and suites of tests."""
