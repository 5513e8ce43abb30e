"""`davy ledger export DIRECTORY`: the ledger as files that anybody can verify, who has its key."""

from pathlib import Path

import click

from davy.cli.entries import entries
from davy.cli.options import at_home
from davy.cli.setting import Setting, talk
from davy.errors import UsageError


@click.command("export")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--ledger-origin",
    "origin",
    default="",
    metavar="NAME",
    help="What the ledger is called, once and for all.  [default: davy.invalid/ and eight digits]",
)
@at_home
@click.pass_obj
def command(setting: Setting, directory: Path, origin: str) -> None:
    """Write the ledger into a directory as static files (tlog-tiles).

    `checkpoint` is what was signed, `tile/` has the hashes, `tile/entries/` the entries. The second time only
    what is new is added, and nothing is if the ledger does not continue what is there. Any web server can hand
    the directory out.
    """
    from davy.adapters.tile_directory import TileDirectory
    from davy.cli.signing import signed
    from davy.control.checkpoints import BUCKET
    from davy.control.witnessing import cosigned

    if directory.resolve() == setting.home.resolve():
        raise UsageError(
            "whoever hands out the state directory hands out its keys",
            hint=f"davy ledger export {directory / 'public'}",
        )
    with signed(setting, origin) as ledger:
        note = cosigned(ledger.note, ledger.store.load(BUCKET))
        target = TileDirectory(directory.absolute(), ledger.key)
        before, now = target.export(note, ledger.store.hashes, ledger.store.bodies)
    talk(f"{directory} has {entries(now)}" + (f", {now - before} of them new" if before else ""))
    talk(f"  verify with {ledger.key}")
