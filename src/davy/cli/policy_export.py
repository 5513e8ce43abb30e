"""`davy policy export …`: write what other programs need to enforce the same rules."""

from typing import ClassVar

import click

from davy.cli.policy import Policies

EXPORTS: dict[str, tuple[str, str]] = {
    "webhook": ("davy.cli.policy_export_webhook", "What a cluster needs in order to ask Davy: davy serve."),
}
"""Every target: where it lives and what it is for."""


class Exports(Policies):
    """The group of targets."""

    table: ClassVar[dict[str, tuple[str, str]]] = EXPORTS


@click.group("export", cls=Exports)
def command() -> None:
    """Write what other programs need to enforce the same rules."""
