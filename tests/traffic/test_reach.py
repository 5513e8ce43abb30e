from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from davy.traffic.reach import publishable

hashes = st.sampled_from("abcd")
splits = st.dictionaries(hashes, st.integers(0, 100), max_size=4)
reachable = st.frozensets(hashes)


def share(split: dict[str, int], hash_: str) -> Fraction:
    whole = sum(split.values())
    return Fraction(split.get(hash_, 0), whole) if whole else Fraction(0)


@given(splits, splits, reachable)
@settings(max_examples=100)
def test_nobody_gets_more_than_was_asked_for_or_than_it_has(
    asked: dict[str, int], current: dict[str, int], able: frozenset[str]
) -> None:
    published = publishable(asked, current, able)
    for hash_ in published or {}:
        assert share(published or {}, hash_) <= max(share(asked, hash_), share(current, hash_))


@given(splits, splits, reachable)
@settings(max_examples=100)
def test_traffic_goes_only_where_somebody_answers(
    asked: dict[str, int], current: dict[str, int], able: frozenset[str]
) -> None:
    published = publishable(asked, current, able) or {}
    assert {hash_ for hash_, weight in published.items() if weight} <= able


@given(splits, splits)
@settings(max_examples=50)
def test_what_everybody_can_take_is_published_as_asked(asked: dict[str, int], current: dict[str, int]) -> None:
    published = publishable(asked, current, frozenset(asked))
    assert published == asked


@given(splits, splits, reachable)
@settings(max_examples=50)
def test_traffic_is_taken_from_everybody_only_when_that_was_asked_for(
    asked: dict[str, int], current: dict[str, int], able: frozenset[str]
) -> None:
    published = publishable(asked, current, able)
    assert published is None or any(published.values()) or not any(asked.values())


def test_a_first_version_waits_for_a_replica() -> None:
    assert publishable({"a": 100}, {}, frozenset()) is None
    assert publishable({"a": 100}, {}, {"a"}) == {"a": 100}


def test_nothing_asked_and_nothing_there_is_nothing() -> None:
    assert publishable({"a": 0}, {}, frozenset()) == {"a": 0}


def test_an_abort_does_not_wait_for_the_canary() -> None:
    assert publishable({"stable": 100, "canary": 0}, {"stable": 95, "canary": 5}, {"stable"}) == {
        "stable": 100,
        "canary": 0,
    }


def test_stable_keeps_everything_until_the_canary_is_there() -> None:
    assert publishable({"stable": 95, "canary": 5}, {"stable": 100}, {"stable"}) == {"stable": 95}


def test_a_canary_does_not_become_everything_since_stable_is_not_there() -> None:
    assert publishable({"stable": 95, "canary": 5}, {}, {"canary"}) is None
    assert publishable({"stable": 95, "canary": 5}, {"canary": 100}, {"canary"}) == {"canary": 5}
