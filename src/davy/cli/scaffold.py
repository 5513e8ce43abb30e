"""`davy scaffold …`: write manifests that are ready to be used, with comments that say what to change."""

from typing import ClassVar

import click

from davy.cli.lazy import Lazy

COMMANDS: dict[str, tuple[str, str]] = {
    "argo-judge": ("davy.cli.scaffold_argo_judge", "Have Argo Rollouts ask Davy's judge at every step."),
}
"""Every command: where it lives and what it is for."""


class Scaffolds(Lazy):
    """The group; help needs none of its commands."""

    table: ClassVar[dict[str, tuple[str, str]]] = COMMANDS


@click.group("scaffold", cls=Scaffolds)
def command() -> None:
    """Write manifests that are ready to be used, with comments that say what to change."""
