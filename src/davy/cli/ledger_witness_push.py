"""`davy ledger witness push`: give the witnesses a checkpoint now, and hear whether they have seen the same."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from davy.cli.entries import entries
from davy.cli.options import at_home
from davy.cli.setting import Setting, talk
from davy.errors import DavyError, IntegrityError, NotFound

if TYPE_CHECKING:
    from davy.adapters.witness_file import AnyWitness
    from davy.cli.signing import Signed


@click.command("push")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@at_home
@click.pass_obj
def command(setting: Setting, names: tuple[str, ...]) -> None:
    """Give all witnesses a checkpoint now, or those that are named.

    It is signed for this, unless an engine runs: then it is the one that was signed last. Exits 7 when a
    witness has seen more of this ledger than there is, or another history.
    """
    from davy.adapters.witness_file import read_witnesses
    from davy.cli.signing import signed

    witnesses = read_witnesses(setting.home)
    for name in names:
        if name not in witnesses:
            raise NotFound(
                f"there is no witness {name}", hint=f"known: {', '.join(sorted(witnesses)) or 'none'}"
            )
    if not witnesses:
        raise NotFound("the ledger has no witnesses", hint="davy ledger witness add")
    with signed(setting) as ledger:
        chosen = {name: witnesses[name] for name in names or sorted(witnesses)}
        failures = list(_pushed(setting, ledger, chosen))
    for error in failures:
        if error is not max(failures, key=_gravity):
            talk(f"error[{error.code}]: {error.message}")
    if failures:
        raise max(failures, key=_gravity)


def _pushed(setting: Setting, ledger: "Signed", chosen: "dict[str, AnyWitness]") -> Iterator[DavyError]:
    """Give each a checkpoint, say so, and yield what went wrong."""
    from davy.cli.sealing import witnessed
    from davy.control.witnessing import keep
    from davy.ledger.checkpoint import read

    size = read(ledger.note.text).size
    for name, witness in chosen.items():
        try:
            arguments = (name, witness, ledger.key, ledger.store)
            signed = witnessed(*arguments, None, setting.environment, ledger.note)
            with ledger.writing() as store:
                if store is not None:
                    keep(name, signed, store)
        except DavyError as error:
            yield error
        else:
            others = [each.name for each in signed.signatures if each.name != ledger.key.name]
            click.echo(
                f"{name} has seen {entries(size)}" + (f", and signed as {', '.join(others)}" if others else "")
            )


def _gravity(error: DavyError) -> tuple[bool, int]:
    """Tell which of several failures a script has to hear of: integrity before all others."""
    return isinstance(error, IntegrityError), error.exit_code
