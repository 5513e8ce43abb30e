"""`davy ledger …`: verify, prove and hand on the record. Each command is imported when it is called."""

import click

from davy.cli.lazy import Lazy

COMMANDS: dict[str, tuple[str, str]] = {}
"""Every command: where it lives and what it is for."""


class Ledger(Lazy):
    """What can be done with the record itself."""

    table = COMMANDS


@click.group("ledger", cls=Ledger)
def command() -> None:
    """Read, verify, prove and hand on the record."""
