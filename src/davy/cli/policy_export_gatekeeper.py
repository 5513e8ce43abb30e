"""`davy policy export gatekeeper`: the pack for a cluster that has Gatekeeper."""

from davy.cli.policy_export_pack import exporting
from davy.policy import pack

command = exporting(
    "gatekeeper",
    "Write the pack for Gatekeeper: templates, and for each a constraint that denies and one that warns.",
    pack.objects,
)
