"""`davy policy export …`: write what other programs need to enforce the same rules."""

import click

from davy.cli.lazy import Lazy

EXPORTS: dict[str, tuple[str, str]] = {
    "gatekeeper": ("davy.cli.policy_export_gatekeeper", "The pack as ConstraintTemplates and constraints."),
    "kyverno": ("davy.cli.policy_export_kyverno", "The pack as Kyverno's ValidatingPolicies."),
    "vap": (
        "davy.cli.policy_export_vap",
        "The pack as ValidatingAdmissionPolicies, for the API server itself.",
    ),
    "webhook": ("davy.cli.policy_export_webhook", "What a cluster needs in order to ask Davy: davy serve."),
}
"""Every target: where it lives and what it is for."""


class Exports(Lazy):
    """The group of targets."""

    table = EXPORTS


@click.group("export", cls=Exports)
def command() -> None:
    """Write what other programs need to enforce the same rules."""
