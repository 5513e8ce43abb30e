"""`davy ledger verify`: recompute the record, and say what was changed and where."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from davy.cli.options import at_home, output
from davy.cli.output import show_data
from davy.cli.setting import Setting
from davy.errors import IntegrityError, NotFound, UsageError

if TYPE_CHECKING:
    from davy.verifier import Report


@click.command("verify")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="FILE",
    help="A checkpoint that somebody else has kept; may be given again.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Checkpoints have to be signed with it; may be given again.  [default: ledger.vkey]",
)
@click.option(
    "--since", default="", metavar="FILE", help="A checkpoint: do not read again what it vouches for."
)
@click.option(
    "--entry", default="", metavar="FILE", help="The entry that a proof is about, if it is not in it."
)
@output("text", "json")
@at_home
@click.pass_obj
def command(
    setting: Setting,
    path: Path | None,
    checkpoints: tuple[str, ...],
    keys: tuple[str, ...],
    since: str,
    entry: str,
    form: str,
) -> None:
    """Verify a ledger offline: the store, or what is at PATH.

    PATH is a store (davy.db), a directory that was exported, or a proof. Every hash is computed anew. What was
    changed is said with its place, and exits 7. Only a checkpoint that somebody else has kept shows that the
    end was not cut off.
    """
    from davy.verifier import Unreadable, verify

    where = _store(setting) if path is None else path
    trusted = keys or _own_key(setting, path)
    try:
        report = verify(str(where), keys=trusted, checkpoints=checkpoints, since=since, entry=entry)
    except Unreadable as error:
        raise UsageError(str(error), hint="davy ledger verify --help") from error
    if form == "json":
        show_data(_data(report), form)
    else:
        click.echo("\n".join(report.problems or report.lines()))
    if report.problems:
        raise IntegrityError(
            f"{where} does not verify", hint="leave all files as they are, and find out who touched them"
        )


def _data(report: "Report") -> dict[str, object]:
    return {
        "path": report.path,
        "of": report.kind,
        "size": report.size,
        "root": report.root.hex(),
        "verified": not report.problems,
        "checked": report.checked,
        "problems": report.problems,
    }


def _store(setting: Setting) -> Path:
    """Return where the store of the state directory is.

    Raises:
        NotFound: there is none.
        UsageError: it is in a database server.
    """
    from davy.cli.stores import FILE, named

    if named(setting.home):
        raise UsageError(
            "the ledger is in PostgreSQL: only what was exported can be verified without the server",
            hint="davy ledger export DIRECTORY, then davy ledger verify DIRECTORY",
        )
    if not (setting.home / FILE).is_file():
        raise NotFound(f"there is no ledger in {setting.home}", hint="davy up begins one; --home names another")
    return setting.home / FILE


def _own_key(setting: Setting, path: Path | None) -> tuple[str, ...]:
    """Return the key of the ledger of the state directory, where it is what has to have signed.

    Others have keys of their own: what they have signed is not held to ours.
    """
    from davy.adapters.ledger_key import public_key

    key = public_key(setting.home)
    if path is not None and key:
        file = path / "checkpoint" if path.is_dir() else path
        try:
            with file.open("rb") as opened:
                is_ours = f"\n— {key.partition('+')[0]} ".encode() in opened.read(1 << 20)
        except OSError:
            is_ours = False
        return (key,) if is_ours else ()
    return (key,) if key else ()
