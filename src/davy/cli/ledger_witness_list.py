"""`davy ledger witness list`: who witnesses the ledger, and what each of them has."""

from typing import TYPE_CHECKING, Any

import click

from davy.cli.entries import entries, instant
from davy.cli.options import at_home, output
from davy.cli.output import show_data, show_lines
from davy.cli.paint import cell, columns
from davy.cli.setting import Setting, talk
from davy.control.views import API_VERSION

if TYPE_CHECKING:
    from davy.adapters.witness_file import AnyWitness


@click.command("list")
@output("text", "json", "yaml")
@at_home
@click.pass_obj
def command(setting: Setting, form: str) -> None:
    """List the witnesses: where each is, how often it is given a checkpoint, and which it has had last.

    That one is what is known here; `davy ledger witness push` asks them.
    """
    from davy.adapters.witness_file import read_witnesses
    from davy.cli.reading import reading
    from davy.control.checkpoints import BUCKET
    from davy.errors import NotFound

    witnesses = read_witnesses(setting.home)
    try:
        with reading(setting) as reader:
            kept = reader.load(BUCKET)
    except NotFound:
        kept = {}
    told = [_told(name, witness, kept) for name, witness in sorted(witnesses.items())]
    if form != "text":
        show_data({"apiVersion": API_VERSION, "kind": "WitnessListView", "witnesses": told}, form)
    elif not told:
        talk("the ledger has no witnesses: davy ledger witness add")
    else:
        show_lines(columns([[cell(text) for text in _row(each)] for each in told]))


def _row(told: dict[str, Any]) -> tuple[str, ...]:
    """Write a witness for people."""
    has = "nothing yet" if told["size"] is None else entries(told["size"])
    seen = f", cosigned {instant(told['cosignedAt'])}" if told["cosignedAt"] else ""
    return told["name"], told["kind"], told["place"], f"every {told['everySeconds']:g} s", has + seen


def _told(name: str, witness: "AnyWitness", kept: dict[str, bytes]) -> dict[str, Any]:
    """Return what is known of a witness, as plain values."""
    from davy.adapters.witness_file import HttpWitness
    from davy.control.checkpoints import parsed
    from davy.ledger.checkpoint import read
    from davy.ledger.cosignature import read_verifier, seen_at

    at, size = None, None
    if (body := kept.get(f"witness:{name}")) is not None:
        note = parsed(body, f"what is kept of the witness {name}")
        size = read(note.text).size
        if isinstance(witness, HttpWitness):
            key = read_verifier(witness.key)
            signed = [each for each in note.signatures if (each.name, each.id) == (key.name, key.id)]
            at = seen_at(signed[0].value) if signed and len(signed[0].value) == 72 else None
    return {
        "name": name,
        "kind": "http" if isinstance(witness, HttpWitness) else "git",
        "place": witness.url,
        "everySeconds": witness.every_s,
        "size": size,
        "cosignedAt": at,
    }
