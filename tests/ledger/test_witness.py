"""What a witness has seen is held against the ledger before it is given more."""

import pytest

from davy.adapters.memory_store import MemoryStore
from davy.errors import IntegrityError
from davy.ledger import note, tree
from davy.ledger.checkpoint import Checkpoint
from davy.ledger.continuation import continues
from davy.ledger.entry import Draft
from davy.ledger.note import Note, PrivateKey
from davy.ledger.witness import Given, SplitView

KEY = PrivateKey("davy.invalid/test", b"\1" * 32)


def ledger(names: str) -> MemoryStore:
    store = MemoryStore()
    store.append([Draft(1.0, "engine_started", name) for name in names])
    return store


def signed(store: MemoryStore, key: PrivateKey = KEY) -> Note:
    head = store.head()
    return note.sign(str(Checkpoint(KEY.name, head.size, head.root)), key)


def given(names: str, last: str | None = None) -> Given:
    store = ledger(names)
    return Given(signed(store), store.hashes, KEY.public, None if last is None else signed(ledger(last)))


def test_what_a_witness_has_is_continued_by_what_it_is_given() -> None:
    for size in range(6):
        given("abcde", "ab"[:size]).since(signed(ledger("abcde"[:size])), "ci")


@pytest.mark.parametrize(
    ("names", "told"), [("abx", "has seen other entries"), ("abcdef", "has seen 6 entries")]
)
def test_another_history_and_a_longer_one_are_told(names: str, told: str) -> None:
    with pytest.raises(SplitView, match=f"ci {told}"):
        given("abcde").since(signed(ledger(names)), "ci")


def test_what_somebody_else_has_signed_is_told() -> None:
    with pytest.raises(SplitView, match="was not signed with this key"):
        given("abc").since(signed(ledger("ab"), PrivateKey(KEY.name, b"\2" * 32)), "ci")


def test_a_witness_that_has_less_than_it_had_is_told() -> None:
    with pytest.raises(SplitView, match=r"ci had 3 entries of .*, and has 2 now"):
        given("abcd", "abc").proof(2, "ci")


def test_a_proof_is_of_the_size_that_a_witness_has() -> None:
    held = given("abcde", "ab")
    assert held.proof(5, "ci") == []
    proof = held.proof(3, "ci")
    assert tree.is_consistent(3, 5, proof, ledger("abc").head().root, held.now.root)
    assert given("abcde").proof(0, "ci") == []
    with pytest.raises(SplitView, match="has seen 6 entries"):
        held.proof(6, "ci")


def test_a_tree_continues_itself_and_no_longer_one() -> None:
    store = ledger("abc")
    head = store.head()
    assert continues(store.hashes, Checkpoint("x", 3, head.root), 3, head.root) == []
    assert continues(store.hashes, Checkpoint("x", 0, tree.EMPTY), 3, head.root) == []


def test_a_tree_does_not_continue_a_longer_or_another_one() -> None:
    store = ledger("abc")
    for old in (Checkpoint("x", 4, store.head().root), Checkpoint("x", 0, b"\0" * 32), Checkpoint("x", 2, b"")):
        with pytest.raises(IntegrityError):
            continues(store.hashes, old, 3, store.head().root)
