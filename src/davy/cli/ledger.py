"""`davy ledger …`: verify, prove and hand on the record. Each command is imported when it is called."""

import click

from davy.cli.lazy import Lazy

COMMANDS: dict[str, tuple[str, str]] = {
    "tail": ("davy.cli.ledger_tail", "Read the last entries, whether an engine runs or not."),
    "show": ("davy.cli.ledger_show", "Show one entry whole, and what proves that it is there."),
    "verify": ("davy.cli.ledger_verify", "Recompute it, and say what was changed and where."),
    "prove": ("davy.cli.ledger_prove", "Prove that an entry is in it to somebody who has only its key."),
    "export": ("davy.cli.ledger_export", "Write the ledger as static files that anybody can verify."),
    "forward": ("davy.cli.ledger_forward", "Send entries on to OpenTelemetry, CloudEvents or Datadog."),
    "forget": ("davy.cli.ledger_forget", "Erase the name of a person; the ledger verifies as before."),
    "witness": ("davy.cli.ledger_witness", "Have it witnessed, so that nothing can take its place."),
}
"""Every command: where it lives and what it is for."""


class Ledger(Lazy):
    """What can be done with the record itself."""

    table = COMMANDS


@click.group("ledger", cls=Ledger)
def command() -> None:
    """Read, verify, prove and hand on the record."""
