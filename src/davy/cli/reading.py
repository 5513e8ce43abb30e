"""The ledger of a state directory for those who only read it: no engine has to run."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TypeAlias

from davy.adapters.sqlite_reader import SqliteReader
from davy.cli.setting import Setting
from davy.cli.stores import FILE, named, open_store
from davy.ledger.payload import PAYLOAD

if TYPE_CHECKING:
    from davy.cli.stores import AnyStore

    Reader: TypeAlias = SqliteReader | AnyStore


@contextmanager
def reading(setting: Setting) -> "Iterator[Reader]":
    """Yield the ledger.

    Raises:
        NotFound: there is none.
        StoreUnavailable: it cannot be read.
    """
    made = open_store(setting.home) if named(setting.home) else SqliteReader(setting.home / FILE)
    with closing(made):
        yield made


def payload(reader: "Reader", name: str) -> bytes | None:
    """Return a detail that is kept apart from its entry, None where there is none of this name."""
    if isinstance(reader, SqliteReader):
        return reader.record(PAYLOAD, name)
    return reader.load(PAYLOAD).get(name)
