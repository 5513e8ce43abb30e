"""Looks at both versions made into scrapes: what pods that come and go may not do to a verdict."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.counted.feed import Counted, Feed, Meter, scrapes
from davy.analysis.counted.look import History, Look, Past
from davy.analysis.judge import Scrape, Side

LATENCY = {"0.1": 1, "0.5": 2, "+Inf": 3}


def look(at: float | None, *, exact: bool = True, **more: Any) -> Look:
    if at is None:
        return Look(exact=exact)
    return Look(at, **{"requests": {"a": 10}, "errors": {"a": 1}, "exact": exact, **more})


def test_the_same_samples_again_are_no_news() -> None:
    feed, first = Feed().take(look(5.0), look(6.0), weight=0.1)
    again, none = feed.take(look(5.0), look(7.0), weight=0.1)
    assert first is not None
    assert first.at == 5.0
    assert none is None
    assert again == feed


def test_without_stable_nothing_is_known() -> None:
    assert Feed().take(look(5.0), look(None), weight=0.1)[1] is None


def test_a_canary_that_was_never_there_has_done_nothing() -> None:
    feed, scrape = Feed().take(look(None), look(6.0), weight=0.1)
    assert scrape is not None
    assert scrape.canary.requests == 0
    after, scrape = feed.take(look(7.0, requests={"a": 4}), look(8.0), weight=0.1)
    assert scrape is not None
    assert (scrape.canary.requests, scrape.changed) == (4, False)
    assert after.take(look(None), look(9.0), weight=0.1) == (after, None)


def test_of_the_first_look_only_what_comes_after_counts() -> None:
    feed, first = Feed().take(look(5.0), look(5.0), weight=0.1)
    _, second = feed.take(look(6.0, requests={"a": 12}), look(6.0, requests={"a": 30}), weight=0.1)
    assert first is not None
    assert second is not None
    assert (first.canary.requests, first.stable.requests) == (0, 0)
    assert (second.canary.requests, second.stable.requests) == (2, 20)


def test_a_process_that_began_anew_counts_from_nothing() -> None:
    meter, _ = Meter().read({"a": 100, "b": 5}, exact=True, known=False)
    meter, whole = meter.read({"a": 7, "b": 6}, exact=True, known=True)
    assert (meter.total, whole) == (8, True)


def test_a_pod_that_comes_back_has_what_it_had() -> None:
    meter, _ = Meter().read({"a": 100, "b": 5}, exact=True, known=False)
    meter, _ = meter.read({"b": 6}, exact=True, known=True)
    meter, whole = meter.read({"a": 104, "b": 6}, exact=True, known=True)
    assert (meter.total, whole) == (5, True)


def test_a_sum_that_fell_is_a_gap_and_never_less_than_nothing() -> None:
    feed, _ = Feed().take(look(5.0, exact=False), look(5.0, exact=False), weight=0.1)
    for gone in ({"a": 3}, {}):
        after, scrape = feed.take(
            look(6.0, exact=False, requests=gone), look(6.0, exact=False, requests={"a": 11}), weight=0.1
        )
        assert scrape is not None
        assert scrape.changed
        assert scrape.canary.requests == 0
        _, scrape = after.take(
            look(7.0, exact=False, requests={"a": 15}), look(7.0, exact=False, requests={"a": 12}), weight=0.1
        )
        assert scrape is not None
        assert scrape.canary.requests == 15 - gone.get("a", 0)


def test_events_are_counted_like_requests() -> None:
    events = {"checkout": ({"a": 10}, {"a": 1})}
    feed, _ = Feed().take(look(5.0, events=events), look(5.0, events=events), weight=0.1)
    events = {"checkout": ({"a": 14}, {"a": 2})}
    _, scrape = feed.take(look(6.0, events=events), look(6.0, events=events), weight=0.1)
    assert scrape is not None
    assert scrape.canary.events == {"checkout": (4, 1)}


def test_latency_goes_on_after_a_fall_and_other_bounds_are_left_out() -> None:
    def at(when: float, canary: dict[str, int], stable: dict[str, int]) -> tuple[Look, Look]:
        return look(when, latency=canary), look(when, latency=stable)

    feed, first = Feed().take(*at(1.0, {}, LATENCY), weight=0.1)
    assert first is not None
    assert sum(first.stable.histogram) == 0
    feed, second = feed.take(*at(2.0, {"0.1": 2, "0.5": 2, "+Inf": 2}, LATENCY), weight=0.1)
    assert second is not None
    assert sum(second.canary.histogram) == 2
    assert len(second.canary.histogram) == len(second.stable.histogram)
    feed, third = feed.take(*at(3.0, {"0.1": 0, "0.5": 1, "+Inf": 1}, {"0.2": 9, "+Inf": 9}), weight=0.1)
    assert third is not None
    assert sum(third.canary.histogram) == 2
    assert sum(third.stable.histogram) == 0
    _, fourth = feed.take(*at(4.0, {"0.1": 0, "0.5": 1, "+Inf": 4}, LATENCY), weight=0.1)
    assert fourth is not None
    assert sum(fourth.canary.histogram) == 5


def test_what_is_between_news_is_learned_and_one_silence_is_not_the_rule() -> None:
    feed = Feed()
    for at in (0.0, 10.0, 20.0, 30.0):
        feed, _ = feed.take(look(at), look(at), weight=0.1)
    assert feed.spacing_s == 10.0
    feed, _ = feed.take(look(900.0), look(900.0), weight=0.1)
    assert feed.spacing_s is not None
    assert 10.0 < feed.spacing_s <= 13.0


def test_the_past_is_scrapes_without_a_canary_and_with_its_falls_left_out() -> None:
    points = (
        Past(0.0, 100, 1, LATENCY),
        Past(10.0, 130, 2, {"0.1": 2, "0.5": 4, "+Inf": 6}),
        Past(20.0, 20, 0, {}),
        Past(30.0, 50, 1, {}),
    )
    found = scrapes(History(points))
    assert [scrape.stable.requests for scrape in found] == [0, 30, 30, 60]
    assert [scrape.changed for scrape in found] == [False, False, True, False]
    assert {scrape.weight for scrape in found} == {0.0}
    assert sum(found[1].stable.histogram) == 3
    assert len(found[0].canary.histogram) == len(found[0].stable.histogram)


counters = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 10**6))
looks = st.builds(Look, st.none() | st.floats(0, 1e6), counters, counters, exact=st.booleans())


@given(st.lists(st.tuples(looks, looks), max_size=8))
def test_whatever_pods_do_counters_only_grow(pairs: list[tuple[Look, Look]]) -> None:
    feed, last = Feed(), Scrape(-1.0, 0.0, Side(), Side())
    for canary, stable in pairs:
        feed, scrape = feed.take(canary, stable, weight=0.1)
        feed = msgspec.json.decode(msgspec.json.encode(feed), type=Feed)
        if scrape is not None:
            assert scrape.at > last.at
            for side, before in ((scrape.canary, last.canary), (scrape.stable, last.stable)):
                assert side.requests >= before.requests
                assert side.errors >= before.errors
            last = scrape


def test_a_version_without_samples_yet_is_not_known() -> None:
    counted, _ = Counted().read(Look(), (), begun=False)
    assert not counted.known
