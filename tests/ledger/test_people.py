"""People are in what is hashed under pseudonyms, and come back under their names as long as these are known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.test_entry import JSON

from davy.ledger.entry import Draft, encode, place
from davy.ledger.people import by_pseudonym, hidden, is_person, people, pseudonym, shown

ANNA = "anna (uid 1000)"
HERS = pseudonym("7f3a09c2e4d81b65")


@pytest.mark.parametrize("actor", [ANNA, "octocat (github.com)", "person:7f3a", "a b (uid 1)"])
def test_people_are_told_by_how_they_are_called(actor: str) -> None:
    assert is_person(actor)


@pytest.mark.parametrize("actor", ["davy", "argocd/prod", "github.com/acme/pay", "uid 1000", "f(x)", ""])
def test_systems_are_not(actor: str) -> None:
    assert not is_person(actor)


def test_only_people_need_a_pseudonym() -> None:
    drafts = [Draft(1.0, "paused", "s"), Draft(1.0, "paused", "s", actor=ANNA)]
    assert people(drafts) == {ANNA}
    assert hidden(drafts[0], {}) is drafts[0]


def test_the_name_is_nowhere_in_the_bytes() -> None:
    detail = {"a": [f"by {ANNA}", 7], "b": {"c": (ANNA,)}}
    draft = Draft(1.0, "paused", "s", detail, ANNA, f"{ANNA} asked")
    assert b"anna" not in encode(hidden(draft, {ANNA: HERS}))


@given(st.dictionaries(st.text(), JSON, max_size=3), st.text())
def test_a_name_that_is_known_comes_back(detail: dict[str, object], reason: str) -> None:
    draft = Draft(1.0, "paused", "s", {**detail, "who": ANNA}, ANNA, reason)
    names = by_pseudonym({ANNA: HERS.encode()})
    assert shown(place(hidden(draft, {ANNA: HERS}), 1), names) == place(draft, 1)


def test_a_name_that_is_forgotten_does_not() -> None:
    entry = place(hidden(Draft(1.0, "paused", "s", {}, ANNA), {ANNA: HERS}), 1)
    assert shown(entry, {}) is entry
    assert entry.actor == HERS
