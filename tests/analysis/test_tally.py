from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from davy.analysis.tally import Odometer, Tally, tallies

Counted: TypeAlias = tuple[str, str]

A200, A503, B200 = ("a", "200"), ("a", "503"), ("b", "200")
BORN, AGAIN = 1.0, 2.0

#: What a proxy does between two readings: it counts answers, or it starts anew and forgets.
events = st.lists(st.one_of(st.just("restart"), st.sampled_from([A200, A503, B200])), max_size=40)

#: Several looks, with what happened before each.
looks = st.lists(events, max_size=8)


def answers(*readings: dict[Counted, int]) -> Odometer[str]:
    odometer: Odometer[str] = Odometer()
    for reading in readings:
        odometer = odometer.read(reading)
    return odometer


def latencies(*readings: dict[tuple[str, int], int]) -> Odometer[int]:
    odometer: Odometer[int] = Odometer()
    for reading in readings:
        odometer = odometer.read(reading)
    return odometer


def test_counts_add_up_by_cluster() -> None:
    counted = answers({A200: 90, A503: 10, B200: 5})
    assert tallies(counted, Odometer(), 3) == {"a": Tally(100, 10), "b": Tally(5, 0)}


def test_what_was_counted_before_a_restart_is_carried_over() -> None:
    counted = answers({A200: 90, A503: 10}, {A200: 2}, {A200: 3, A503: 1}, {A200: 4, A503: 1})
    assert tallies(counted, Odometer(), 3) == {"a": Tally(105, 11, restarts=1)}


def test_a_cluster_that_is_made_again_starts_from_zero_as_a_whole() -> None:
    counted = answers({A200: 2, A503: 10, B200: 5}, {A200: 3, A503: 1, B200: 6})
    assert tallies(counted, Odometer(), 3) == {"a": Tally(16, 11, restarts=1), "b": Tally(6, 0)}


def test_a_proxy_that_restarts_gives_itself_away_though_nothing_fell() -> None:
    start: Odometer[str] = Odometer()
    before = start.read({A200: 3, B200: 300}, BORN)
    hidden = before.read({A200: 5, B200: 100})
    assert hidden.totals()["a"] == {"200": 5}, "unless it says so, 5 answers count as 2 more"
    told = before.read({A200: 5, B200: 300}, AGAIN)
    assert tallies(told, Odometer(), 3) == {"a": Tally(8, restarts=1), "b": Tally(600, restarts=1)}
    assert told.read({A200: 6, B200: 300}, AGAIN).restarts == {"a": 1, "b": 1}


def test_a_proxy_that_does_not_say_who_it_is_is_the_one_before() -> None:
    start: Odometer[str] = Odometer()
    odometer = start.read({A200: 3}, BORN).read({A200: 4}).read({A200: 5}, BORN)
    assert (odometer.restarts, odometer.born) == ({}, BORN)


def test_each_answer_is_in_one_bucket_and_restarts_of_both_count() -> None:
    timed = latencies({("a", 0): 4, ("a", 2): 1}, {("a", 0): 2, ("a", 1): 1})
    assert tallies(answers({A200: 8}, {A200: 4}), timed, 3) == {"a": Tally(12, 0, 0, (6, 1, 1), 2)}


def test_counts_can_begin_at_a_reading() -> None:
    timed = latencies({("a", 0): 4, ("b", 0): 3}).since_now(["a"])
    assert timed.totals() == {"a": {0: 0}, "b": {0: 3}}
    assert timed.read({("a", 0): 6, ("b", 0): 3}).totals() == {"a": {0: 2}, "b": {0: 3}}
    assert timed.read({("a", 0): 1, ("b", 0): 3}).totals() == {"a": {0: 1}, "b": {0: 3}}


def test_a_cluster_can_be_forgotten() -> None:
    odometer = answers({A200: 9, B200: 5}, {A200: 1, B200: 1}).without(["a"])
    assert tallies(odometer, Odometer(), 3) == {"b": Tally(6, 0, restarts=1)}


@settings(max_examples=100)
@given(events)
def test_read_after_every_answer_it_never_misses_one_and_never_falls(history: list[str | Counted]) -> None:
    odometer: Odometer[str] = Odometer()
    counted, answered = dict[Counted, int](), dict[str, int]()
    for event in history:
        if isinstance(event, str):
            counted = {}
        else:
            counted = {**counted, event: counted.get(event, 0) + 1}
            answered[event[0]] = answered.get(event[0], 0) + 1
        before, odometer = tallies(odometer, Odometer(), 3), odometer.read(counted)
        now = tallies(odometer, Odometer(), 3)
        assert {cluster: tally.requests for cluster, tally in now.items()} == answered
        assert all(now[cluster].errors >= tally.errors for cluster, tally in before.items())


@settings(max_examples=200)
@given(looks)
def test_what_was_answered_between_two_looks_is_exact_or_is_said_to_be_incomplete(
    history: list[list[str | Counted]],
) -> None:
    odometer: Odometer[str] = Odometer()
    born = 0.0
    counted: dict[Counted, int] = {}
    for happened in history:
        answered: dict[str, int] = {}
        for event in happened:
            if isinstance(event, str):
                counted, born = {}, born + 1
            else:
                counted = {**counted, event: counted.get(event, 0) + 1}
                answered[event[0]] = answered.get(event[0], 0) + 1
        seen = {cluster for cluster, _ in odometer.last}
        before, odometer = tallies(odometer, Odometer(), 3), odometer.read(counted, born)
        for cluster, tally in tallies(odometer, Odometer(), 3).items():
            earlier = before.get(cluster, Tally())
            missing = answered.get(cluster, 0) - (tally.requests - earlier.requests)
            anew = tally.restarts - earlier.restarts
            assert (missing, anew) == (0, 0) if "restart" not in happened else missing >= 0
            assert anew == ("restart" in happened and cluster in seen)
