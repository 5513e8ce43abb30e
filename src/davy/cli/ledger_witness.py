"""`davy ledger witness …`: who remembers what this ledger was. Each command is imported when it is called."""

import click

from davy.cli.lazy import Lazy

COMMANDS: dict[str, tuple[str, str]] = {
    "add": ("davy.cli.ledger_witness_add", "Name somebody who is given checkpoints."),
    "list": ("davy.cli.ledger_witness_list", "List the witnesses, and what they have."),
    "remove": ("davy.cli.ledger_witness_remove", "Give a witness no more checkpoints."),
    "push": ("davy.cli.ledger_witness_push", "Give the witnesses a checkpoint now."),
}
"""Every command: where it lives and what it is for."""


class Witnesses(Lazy):
    """Who remembers what this ledger was."""

    table = COMMANDS


@click.group("witness", cls=Witnesses)
def command() -> None:
    """Have the ledger witnessed, so that no older copy and no second history can take its place."""
