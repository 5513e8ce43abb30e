"""`davy ledger prove SEQ`: one file that shows somebody that an entry is in the record."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from davy.cli.options import at_home
from davy.cli.setting import Setting, talk
from davy.errors import NotFound, Undecided, UsageError

if TYPE_CHECKING:
    from davy.ledger.log import Log
    from davy.ledger.note import Note, PublicKey
    from davy.ledger.proof import Proof


@click.command("prove")
@click.argument("seq", type=click.IntRange(1))
@click.option("-o", "--output", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write it there.")
@click.option(
    "--ledger-origin",
    "origin",
    default="",
    metavar="NAME",
    help="What the ledger is called, once and for all.  [default: davy.invalid/ and eight digits]",
)
@at_home
@click.pass_obj
def command(setting: Setting, seq: int, file: Path | None, origin: str) -> None:
    """Prove that an entry is in the ledger, to somebody who has nothing but its key.

    The proof (tlog-proof) is a text with the entry, the hashes that lead from it to the root, and the
    checkpoint that was signed for that. It is verified offline: davy ledger verify FILE --key KEY.
    """
    from davy.cli.signing import signed
    from davy.control.checkpoints import BUCKET
    from davy.control.witnessing import cosigned
    from davy.ledger.checkpoint import read

    with signed(setting, origin) as ledger:
        note = cosigned(ledger.note, ledger.store.load(BUCKET))
        size = read(note.text).size
        if seq > ledger.store.head().size:
            raise NotFound(f"there is no entry {seq}: the ledger has {size}", hint="davy ledger tail")
        if seq > size:
            raise Undecided(f"the engine has not signed for entry {seq} yet", hint="try again in a second")
        key = ledger.key
        proof = proof_of(ledger.store, note, seq, key)
    if file is None:
        click.echo(str(proof), nl=False)
        return
    try:
        file.write_text(str(proof))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    talk(f"{file} proves entry {seq} of {size}")
    talk(f"  davy ledger verify {file} --key {key}")


def proof_of(log: "Log", note: "Note", seq: int, key: "PublicKey") -> "Proof":
    """Return the proof that an entry is in the tree of a checkpoint, after verifying it.

    Raises:
        IntegrityError: it does not verify: the tree is not the one that was signed for.
    """
    from davy.ledger import tree
    from davy.ledger.checkpoint import read
    from davy.ledger.proof import Proof, verify

    [body] = log.bodies(seq - 1, seq)
    path = tuple(tree.inclusion(seq - 1, read(note.text).size, log.hashes))
    proof = Proof(seq - 1, path, note, body)
    verify(proof, body, [key])
    return proof
