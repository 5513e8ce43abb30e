"""Signing for the ledger from a command: under the lease if no engine runs, else by what the engine signed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from davy.adapters.ledger_key import ledger_key, public_key
from davy.cli.lease import take
from davy.cli.setting import Setting, talk
from davy.cli.stores import FILE, named, no_ledger, open_store
from davy.control.checkpoints import Signing, latest
from davy.errors import Undecided
from davy.ledger.lease import Held
from davy.ledger.note import Note, PublicKey
from davy.ledger.store import Store

if TYPE_CHECKING:
    from davy.cli.stores import AnyStore

SIGN = "sign"
"""The role of a lease that is taken to write down a checkpoint."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A ledger, what was signed of it last, and the key that this was signed with."""

    store: "AnyStore"
    note: Note
    key: PublicKey

    @contextmanager
    def writing(self) -> Iterator[Store | None]:
        """Yield the store to write to, None while an engine runs: it writes what it finds out itself."""
        with _office(self.store) as store:
            yield store


@contextmanager
def signed(setting: Setting, origin: str = "") -> Iterator[Signed]:
    """Yield the ledger of the state directory and a checkpoint of it.

    A running engine signs every second in which something was added, so that its last one is new enough.

    Raises:
        NotFound: there is no ledger.
        IntegrityError: the ledger does not continue what was signed last, or its key is gone.
        Undecided: an engine runs and has not signed yet.
    """
    home = setting.home
    if not (named(home) or (home / FILE).is_file()):
        raise no_ledger(home)
    store = open_store(home)
    try:
        with _office(store) as ours:
            if ours is not None:
                key = ledger_key(setting.home, origin)
                note = Signing(store, ours, key, talk).sign()
                yielded = Signed(store, note, key.public)
            else:
                yielded = Signed(store, *_of_engine(setting, store))
        yield yielded
    finally:
        store.close()


def _of_engine(setting: Setting, store: "AnyStore") -> tuple[Note, PublicKey]:
    """Return what a running engine has signed, and what it is verified with."""
    note, spelt = latest(store), public_key(setting.home)
    if note is None or not spelt:
        raise Undecided(
            "an engine runs and has not signed for its ledger yet",
            hint="try again in a second, or: davy version",
        )
    return note, PublicKey.read(spelt)


@contextmanager
def _office(store: "AnyStore") -> Iterator[Store | None]:
    """Hold the lease, for as long as it takes to write something down; None where an engine has it."""
    try:
        tenure = take(store, SIGN)
    except Held:
        yield None
        return
    try:
        yield store.under(tenure.lease)
    finally:
        tenure.end()
