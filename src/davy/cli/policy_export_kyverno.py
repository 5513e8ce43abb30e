"""`davy policy export kyverno`: the pack for a cluster that has Kyverno."""

from davy.cli.policy_export_pack import exporting_cel

command = exporting_cel(
    "kyverno",
    """Write the pack for Kyverno: a ValidatingPolicy for each rule.

    CEL sees one object; the rules that look at others are left out, and named on standard error.
    """,
    "kyverno",
)
