"""What signs for the ledger of an engine, and who witnesses it, by the files of the state directory."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from time import monotonic
from typing import TYPE_CHECKING

from davy.adapters.ledger_key import ledger_key
from davy.adapters.witness_file import AnyWitness, GitWitness, read_witnesses
from davy.adapters.witness_git import GitWitnessing
from davy.adapters.witness_http import HttpWitnessing
from davy.control.checkpoints import BUCKET, Signing
from davy.control.sealing import Errand, Sealing
from davy.control.witnessing import give, last_given
from davy.ledger.note import Note, PublicKey
from davy.ledger.store import Store
from davy.ledger.witness import Given, Witness

if TYPE_CHECKING:
    from davy.cli.stores import AnyStore


def sealing(home: Path, store: "AnyStore", ours: Store, environment: Mapping[str, str]) -> Sealing:
    """Return what signs for the ledger of an engine.

    Args:
        home: the state directory.
        store: the store, which is read.
        ours: the store as the holder of the lease writes to it.
        environment: what Git is started with.
    """

    def signs() -> Signing:
        return Signing(store, ours, ledger_key(home), made.notice)

    def errands() -> dict[str, Errand]:
        key = ledger_key(home).public
        found = read_witnesses(home)
        return {
            name: Errand(each.every_s, partial(witnessed, name, each, key, store, ours, environment))
            for name, each in found.items()
        }

    made = Sealing(signs, errands, monotonic)
    return made


def witnessed(
    name: str,
    witness: AnyWitness,
    key: PublicKey,
    store: "AnyStore",
    ours: Store | None,
    environment: Mapping[str, str],
    note: Note,
) -> Note:
    """Give one witness a checkpoint, and return it with what the witness has signed.

    Raises:
        DavyError: as `davy.ledger.witness.Witness.give` says.
    """
    last = last_given(name, key.name, store.load(BUCKET))
    given = Given(note, store.hashes, key, last)
    return give(name, reached(name, witness, environment), given, ours)


def reached(name: str, witness: AnyWitness, environment: Mapping[str, str]) -> Witness:
    """Return the way to a witness.

    Raises:
        UsageError: its key or its authority cannot be read.
    """
    if isinstance(witness, GitWitness):
        return GitWitnessing(name, witness, Path(gettempdir()), environment)
    return HttpWitnessing(name, witness)
