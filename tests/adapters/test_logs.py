"""The logs in memory and in SQLite keep the promises, and agree on every byte."""

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.adapters.memory_store import MemoryStore
from davy.adapters.sqlite import SqliteStore
from davy.ledger import tree
from davy.ledger.entry import Draft
from davy.ledger.log import Head
from davy.testing.log import LogContract, LogStore, event
from davy.testing.store import draft


class TestMemoryLog(LogContract):
    def make(self, directory: Path) -> LogStore:
        return MemoryStore()


class TestSqliteLog(LogContract):
    def make(self, directory: Path) -> LogStore:
        return SqliteStore(directory / "davy.db")


def of_an_engine(number: int) -> Draft:
    return draft(number=number)


def from_outside(number: int, said: str) -> Draft:
    return event(number, said=said)


def nameless(number: int) -> Draft:
    return msgspec.structs.replace(event(number), id="")


BATCHES = st.lists(
    st.tuples(
        st.booleans(),
        st.lists(
            st.builds(of_an_engine, st.integers(0, 9))
            | st.builds(from_outside, st.integers(0, 20), st.sampled_from("ab"))
            | st.builds(nameless, st.integers(0, 9)),
            max_size=40,
        ),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(BATCHES, st.integers(0, 12))
def test_both_stores_have_the_tree_of_what_is_in_them(
    batches: list[tuple[bool, list[Draft]]], reopened: int
) -> None:
    """Whatever is committed and appended, in whatever pieces, and opened again in between."""
    with TemporaryDirectory() as directory:
        memory, disk = MemoryStore(), SqliteStore(Path(directory) / "davy.db")
        for number, (committed, drafts) in enumerate(batches):
            if number == reopened:
                disk.close()
                disk = SqliteStore(Path(directory) / "davy.db")
            if committed:
                assert disk.commit({}, drafts) == memory.commit({}, drafts)
            else:
                assert disk.append(drafts) == memory.append(drafts)
            spelt = memory.bodies(0, 1000)
            assert disk.bodies(0, 1000) == spelt
            assert disk.head() == memory.head() == Head(len(spelt), tree.root(spelt))
        disk.close()
