"""Checkpoints are signed when the ledger has grown, and never two that cannot both be true."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.adapters.memory_store import MemoryStore
from davy.control.checkpoints import LATEST, Signing, latest
from davy.errors import IntegrityError
from davy.ledger import note, tree
from davy.ledger.checkpoint import Checkpoint, read
from davy.ledger.continuation import continues
from davy.ledger.entry import Draft
from davy.ledger.note import PrivateKey
from davy.ledger.store import StoreUnavailable

KEY = PrivateKey("davy.invalid/test", b"\1" * 32)


def ledger(*names: str) -> MemoryStore:
    store = MemoryStore()
    grow(store, *names)
    return store


def grow(store: MemoryStore, *names: str) -> None:
    store.append([Draft(1.0, "engine_started", name) for name in names])


def signing(store: MemoryStore, key: PrivateKey = KEY) -> Signing:
    return Signing(store, store, key)


def test_a_checkpoint_says_what_the_tree_is_and_is_kept() -> None:
    store = ledger("a", "b", "c")
    signed = signing(store).sign()
    head = store.head()
    assert read(signed.text) == Checkpoint(KEY.name, head.size, head.root)
    assert note.verify(signed, [KEY.public])
    assert latest(store) == signed


def test_a_tree_that_has_not_grown_is_not_signed_again() -> None:
    store = ledger("a")
    signed = signing(store).sign()
    store.full = StoreUnavailable("full")
    assert signing(store).sign() == signed


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_whatever_is_signed_continues_all_that_was_signed_before(steps: list[int]) -> None:
    store, signed = MemoryStore(), []
    for step in steps:
        grow(store, *map(str, range(step)))
        signed.append(read(signing(store).sign().text))
    for older in signed:
        for newer in signed[signed.index(older) :]:
            continues(store.hashes, older, newer.size, newer.root)


def test_what_was_cut_is_not_signed_for() -> None:
    store = ledger("a", "b", "c")
    kept = str(signing(store).sign()).encode()
    copy = ledger("a", "b")
    copy.records[LATEST] = kept
    with pytest.raises(IntegrityError, match="has 2 entries, and 3 were signed for"):
        signing(copy).sign()
    assert copy.records[LATEST] == kept


@pytest.mark.parametrize("names", [("a", "x", "c"), ("b", "a", "c"), ("a", "x", "c", "d")])
def test_what_was_edited_is_not_signed_for(names: tuple[str, ...]) -> None:
    kept = str(signing(ledger("a", "b", "c")).sign()).encode()
    edited = ledger(*names)
    edited.records[LATEST] = kept
    with pytest.raises(IntegrityError, match="are not those that were signed for"):
        signing(edited).sign()


def test_a_tree_without_entries_is_continued_by_any() -> None:
    store = MemoryStore()
    assert read(signing(store).sign().text).root == tree.EMPTY
    grow(store, "a")
    assert read(signing(store).sign().text).size == 1
    with pytest.raises(IntegrityError, match="the first 0 of"):
        continues(store.hashes, Checkpoint(KEY.name, 0, b"\0" * 32), 1, store.head().root)


def test_what_cannot_be_kept_is_shown_to_nobody() -> None:
    store = ledger("a")
    store.full = StoreUnavailable("full")
    with pytest.raises(StoreUnavailable):
        signing(store).sign()
    assert latest(store) is None


def test_another_key_goes_on_from_what_the_first_has_signed_and_says_so() -> None:
    store, told = ledger("a"), list[str]()
    first = signing(store).sign()
    other = PrivateKey("davy.invalid/other", b"\2" * 32)
    signed = Signing(store, store, other, told.append).sign()
    assert signed != first
    assert latest(store) == signed
    assert [line for line in told if KEY.name in line and str(other.public) in line] == told != []
    Signing(store, store, other, told.append).sign()
    assert len(told) == 1


def test_another_key_does_not_sign_for_what_the_first_has_not() -> None:
    store = ledger("a", "b")
    store.records[LATEST] = str(signing(ledger("x")).sign()).encode()
    with pytest.raises(IntegrityError, match="are not those"):
        signing(store, PrivateKey("davy.invalid/other", b"\2" * 32)).sign()


@pytest.mark.parametrize("spoil", [lambda text: text[:-9], lambda text: text.replace("\n1\n", "\n2\n")])
def test_what_is_kept_and_was_spoilt_is_told(spoil: Callable[[str], str]) -> None:
    store = ledger("a")
    text = str(signing(store).sign())
    store.records[LATEST] = spoil(text).encode()
    with pytest.raises(IntegrityError):
        signing(store).sign()
