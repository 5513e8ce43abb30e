from hypothesis import given, settings
from hypothesis import strategies as st

from davy.analysis.tally import Counted, Odometer, Tally

A200, A503, B200 = ("a", "200"), ("a", "503"), ("b", "200")

#: What a proxy does between two readings: it counts answers, or it starts anew and forgets.
events = st.lists(st.one_of(st.just("restart"), st.sampled_from([A200, A503, B200])), max_size=40)


def test_counts_add_up_by_cluster() -> None:
    odometer = Odometer().read({A200: 90, A503: 10, B200: 5})
    assert odometer.totals() == {"a": Tally(100, 10), "b": Tally(5, 0)}


def test_what_was_counted_before_a_restart_is_carried_over() -> None:
    odometer = (
        Odometer().read({A200: 90, A503: 10}).read({A200: 2}).read({A200: 3, A503: 1}).read({A200: 4, A503: 1})
    )
    assert odometer.totals() == {"a": Tally(105, 11)}


def test_a_cluster_can_be_forgotten() -> None:
    odometer = Odometer().read({A200: 9, B200: 5}).read({A200: 1, B200: 1}).without("a")
    assert odometer.totals() == {"b": Tally(6, 0)}


@settings(max_examples=100)
@given(events)
def test_read_after_every_answer_it_never_misses_one_and_never_falls(history: list[str | Counted]) -> None:
    odometer, counted, answered = Odometer(), dict[Counted, int](), dict[str, int]()
    for event in history:
        if isinstance(event, str):
            counted = {}
        else:
            counted = {**counted, event: counted.get(event, 0) + 1}
            answered[event[0]] = answered.get(event[0], 0) + 1
        before, odometer = odometer.totals(), odometer.read(counted)
        now = odometer.totals()
        assert {cluster: tally.requests for cluster, tally in now.items()} == answered
        assert all(now[cluster].errors >= tally.errors for cluster, tally in before.items())
