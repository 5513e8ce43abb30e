"""`davy ledger verify`: recompute the record, and say what was changed and where."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from davy.cli.options import at_home, output, store
from davy.cli.output import show_data
from davy.cli.setting import Setting
from davy.cli.stores import FILE, checked, no_ledger
from davy.cli.stores import named as kept_at
from davy.control.views import API_VERSION
from davy.errors import IntegrityError, UsageError

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
@store
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
    store: str,
    form: str,
) -> None:
    """Verify a ledger offline: the store, or what is at PATH.

    PATH is a store (davy.db), a directory that was exported, or a proof. Every hash is computed anew. What was
    changed is said with its place, and exits 7. Only a checkpoint that somebody else has kept shows that the
    end was not cut off.
    """
    from davy.verifier import Unreadable, verify

    if path is not None and store:
        raise UsageError("PATH and --store are two ledgers", hint="davy ledger verify --help")
    trusted = keys or _own_key(setting, path)
    try:
        with nullcontext(path) if path is not None else _store(setting, store) as where:
            report = verify(str(where), keys=trusted, checkpoints=checkpoints, since=since, entry=entry)
    except Unreadable as error:
        raise UsageError(str(error), hint="davy ledger verify --help") from error
    named = store or kept_at(setting.home) if path is None else ""
    report.path = named or report.path
    if form == "json":
        show_data(_data(report), form)
    else:
        click.echo("\n".join(report.problems or report.lines()))
    if report.problems:
        raise IntegrityError(
            f"{report.path} does not verify", hint="leave all files as they are, and find out who touched them"
        )


def _data(report: "Report") -> dict[str, object]:
    return {
        "apiVersion": API_VERSION,
        "kind": "LedgerVerificationView",
        "path": report.path,
        "of": report.kind,
        "size": report.size,
        "root": report.root.hex(),
        "verified": not report.problems,
        "checked": report.checked,
        "problems": report.problems,
    }


@contextmanager
def _store(setting: Setting, url: str) -> Iterator[Path]:
    """Yield the file of the store; of one on PostgreSQL a copy, which nobody has to trust that server for.

    Raises:
        NotFound: there is none.
        StoreUnavailable: it cannot be copied.
    """
    if url := checked(url or kept_at(setting.home)):
        from davy.adapters.postgres_copy import copy_ledger

        with TemporaryDirectory(prefix="davy-verify-") as directory:
            copy_ledger(url, Path(directory) / FILE)
            yield Path(directory) / FILE
        return
    if not (setting.home / FILE).is_file():
        raise no_ledger(setting.home)
    yield setting.home / FILE


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
