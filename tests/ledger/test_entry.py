"""Entries have one spelling, and a vocabulary that is closed."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.ledger.canonical import LARGEST
from davy.ledger.entry import KINDS, Draft, decode, encode, place, refusal, same_event

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | st.text() | st.floats(-LARGEST, LARGEST),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(sorted(KINDS)),
    st.dictionaries(st.text(), JSON, max_size=4),
    st.text(),
    st.integers(1, 2**40),
)
def test_an_entry_survives_being_written_and_read(
    kind: str, detail: dict[str, object], text: str, seq: int
) -> None:
    draft = Draft(1.25, kind, text, detail, actor=text, reason=text, received=2.5)
    entry = decode(encode(draft), seq)
    assert entry == place(draft, seq)
    assert (entry.seq, entry.at, entry.detail, entry.received) == (seq, 1.25, detail, 2.5)


@given(st.dictionaries(st.text(), st.integers(-(2**53), 2**53), max_size=5))
def test_equal_entries_are_spelt_alike(detail: dict[str, object]) -> None:
    backwards = dict(reversed(list(detail.items())))
    one, two = (encode(Draft(1.0, "paused", "s", order)) for order in (detail, backwards))
    assert one == two


def test_a_word_that_is_not_in_the_vocabulary_cannot_be_written() -> None:
    with pytest.raises(AssertionError, match="not in the vocabulary"):
        Draft(1.0, "promoted_by_force", "s")


EVENT = Draft(1.0, "change_merged", "Service pay", {"sha": "a"}, source="git", id="1", received=2.0)


@pytest.mark.parametrize("told", [{"received": 9.0}, {"received": None}, {"authenticated": "token"}])
def test_an_event_is_the_same_when_we_are_told_again(told: dict[str, object]) -> None:
    assert same_event(encode(EVENT), encode(msgspec.structs.replace(EVENT, **told)))


@pytest.mark.parametrize("other", [{"at": 1.5}, {"detail": {"sha": "b"}}, {"actor": "eve"}, {"kind": "paused"}])
def test_an_event_that_says_something_else_is_another(other: dict[str, object]) -> None:
    assert not same_event(encode(EVENT), encode(msgspec.structs.replace(EVENT, **other)))


@pytest.mark.parametrize(("received", "at"), [(2.0, 2.0), (None, 1.0)])
def test_a_refusal_tells_of_what_was_refused_and_is_no_event_of_the_source(
    received: float | None, at: float
) -> None:
    refused = refusal(msgspec.structs.replace(EVENT, received=received, authenticated="token"), 7, "because")
    assert (refused.kind, refused.subject, refused.at) == ("event_refused", "Service pay", at)
    assert (refused.uid, refused.source, refused.authenticated) == (None, "", "token")
    assert refused.detail["contradicts"] == 7
    assert len(refused.detail["sha256"]) == 64
