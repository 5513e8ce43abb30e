"""`davy ledger show SEQ`: all that is known of one entry, and what proves that it is there."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from davy.cli.entries import entry_line, entry_of, instant
from davy.cli.options import at_home, output
from davy.cli.output import show_data, show_lines
from davy.cli.paint import Line, span
from davy.cli.setting import Setting
from davy.errors import IntegrityError, NotFound

if TYPE_CHECKING:
    from davy.cli.reading import Reader
    from davy.ledger.entry import Entry


@click.command("show")
@click.argument("seq", type=click.IntRange(1))
@output("text", "json", "yaml")
@at_home
@click.pass_obj
def command(setting: Setting, seq: int, form: str) -> None:
    """Show one entry of the ledger whole.

    What it says, who said so and how that is known, the hash of its bytes, its place in the tree, and whether
    the last checkpoint covers it. A detail that is too large for an entry is shown with it.
    """
    from davy.cli.reading import reading
    from davy.ledger.people import PERSON, by_pseudonym, shown

    with reading(setting) as reader:
        found = reader.bodies(seq - 1, seq)
        if not found:
            size = reader.head().size
            raise NotFound(f"there is no entry {seq}: the ledger has {size}", hint="davy ledger tail")
        told = _told(reader, seq, found[0])
        entry = shown(entry_of(found[0], seq), by_pseudonym(reader.load(PERSON)))
    if form == "text":
        show_lines(_lines(entry, told))
    else:
        show_data(told, form)


def _told(reader: "Reader", seq: int, body: bytes) -> dict[str, Any]:
    """Return all that is known of an entry, as plain values.

    Raises:
        IntegrityError: its bytes are not those that are in the tree.
    """
    from davy.ledger.tree import leaf_hash

    leaf = leaf_hash(body)
    if reader.hashes(0, seq - 1, seq) != [leaf]:
        raise IntegrityError(
            f"the bytes of entry {seq} are not those that its hash in the tree is of", hint="davy ledger verify"
        )
    entry_of(body, seq)
    told: dict[str, Any] = {
        "seq": seq,
        "leaf": leaf.hex(),
        "bytes": len(body),
        "size": reader.head().size,
        "entry": json.loads(body),
        "checkpoint": _covered(reader, seq, leaf),
    }
    apart = _apart(reader, told["entry"]["detail"])
    return told if apart is None else {**told, "payload": apart}


def _covered(reader: "Reader", seq: int, leaf: bytes) -> dict[str, Any] | None:
    """Prove an entry to be in the last checkpoint; None where that is older, or there is none.

    Raises:
        IntegrityError: it is not in it.
    """
    from davy.control.checkpoints import latest
    from davy.ledger import tree
    from davy.ledger.checkpoint import read

    note = latest(reader)
    checkpoint = None if note is None else read(note.text)
    if note is None or checkpoint is None or checkpoint.size < seq:
        return None
    proof = tree.inclusion(seq - 1, checkpoint.size, reader.hashes)
    if not tree.is_included(leaf, seq - 1, checkpoint.size, proof, checkpoint.root):
        raise IntegrityError(
            f"entry {seq} is not the one that was signed for with the first {checkpoint.size}",
            hint="davy ledger verify",
        )
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "signedBy": [each.name for each in note.signatures],
        "proof": [hash_.hex() for hash_ in proof],
    }


def _apart(reader: "Reader", detail: Any) -> object:
    """Return the detail that is kept apart from its entry, None where none is.

    Raises:
        IntegrityError: it is gone, or another one.
    """
    from hashlib import sha256

    from davy.cli.reading import payload

    match detail:
        case {"sha256": str(name), "bytes": int(), **more} if not more:
            kept = payload(reader, name)
            if kept is None or sha256(kept).hexdigest() != name:
                what = "is gone" if kept is None else "is another one"
                raise IntegrityError(f"the detail that is kept apart, {name[:16]}…, {what}")
            return json.loads(kept)
        case _:
            return None


def _lines(entry: "Entry", told: dict[str, Any]) -> Iterator[Line]:
    """Write an entry for people."""
    yield entry_line(entry)
    for label, text in _facts(entry, told):
        yield (span(f"  {label:<11}", "faint"), span(text))
    for label, value in (("detail", told["entry"]["detail"]), ("payload", told.get("payload"))):
        if value:
            yield (span(f"  {label}", "faint"),)
            for line in json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).splitlines():
                yield (span(f"    {line}"),)


def _facts(entry: "Entry", told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "actor", entry.actor
    if entry.reason:
        yield "reason", entry.reason
    yield "source", f"{entry.source}  {entry.id}" if entry.source or entry.id else "this engine"
    if entry.authenticated:
        yield "known by", entry.authenticated
    if entry.received is not None:
        yield "received", instant(entry.received)
    yield "leaf", f"{told['leaf']}  of {told['bytes']} bytes"
    yield "place", f"entry {entry.seq} of {told['size']}, index {entry.seq - 1}"
    covered = told["checkpoint"]
    if covered is None:
        yield "checkpoint", "none covers it yet"
    else:
        hashes = len(covered["proof"])
        yield (
            "checkpoint",
            f"{covered['origin']}  {covered['size']} entries; {hashes} hashes prove that it is one",
        )
        yield "root", covered["root"]
