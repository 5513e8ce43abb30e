"""`davy policy export vap`: the pack for an API server by itself."""

from davy.cli.policy_export_pack import exporting_cel

command = exporting_cel(
    "vap",
    """Write the pack for the API server itself: a ValidatingAdmissionPolicy for each rule, with its binding.

    CEL sees one object; the rules that look at others are left out, and named on standard error.
    """,
    "vap",
)
