"""`davy ledger witness remove NAME`: give a witness no more checkpoints."""

import click

from davy.cli.options import at_home
from davy.cli.setting import Setting, talk
from davy.errors import NotFound


@click.command("remove")
@click.argument("name")
@at_home
@click.pass_obj
def command(setting: Setting, name: str) -> None:
    """Give a witness no more checkpoints; what it has it keeps."""
    from davy.adapters.witness_file import read_witnesses, write_witnesses

    witnesses = read_witnesses(setting.home)
    if name not in witnesses:
        raise NotFound(f"there is no witness {name}", hint=f"known: {', '.join(sorted(witnesses)) or 'none'}")
    write_witnesses(setting.home, {key: value for key, value in witnesses.items() if key != name})
    talk(f"witness {name} removed")
