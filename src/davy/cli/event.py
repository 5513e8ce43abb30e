"""`davy event …`: tell of changes and incidents that no engine sees."""

from typing import ClassVar

import click

from davy.cli.policy import Policies

COMMANDS: dict[str, tuple[str, str]] = {
    "emit": ("davy.cli.event_emit", "Write down that a change or an incident happened."),
}
"""Every command: where it lives and what it is for."""


class Events(Policies):
    """The group; help needs none of its commands."""

    table: ClassVar[dict[str, tuple[str, str]]] = COMMANDS


@click.group("event", cls=Events)
def command() -> None:
    """Tell of changes and incidents that no engine sees."""
