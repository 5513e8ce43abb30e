"""`davy git …`: what Git repositories say of changes."""

from typing import ClassVar

import click

from davy.cli.policy import Policies

COMMANDS: dict[str, tuple[str, str]] = {
    "follow": ("davy.cli.git_follow", "Write down what is merged, and what rollouts bring of it."),
}
"""Every command: where it lives and what it is for."""


class Git(Policies):
    """The group; help needs none of its commands."""

    table: ClassVar[dict[str, tuple[str, str]]] = COMMANDS


@click.group("git", cls=Git)
def command() -> None:
    """Read from Git repositories what becomes of changes."""
