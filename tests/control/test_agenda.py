"""Whose turn it is: news first, then time, and everyone once in a while."""

from hypothesis import given
from hypothesis import strategies as st

from davy.control.agenda import LOOK_S, Agenda
from davy.model.key import Key

NAMES = st.sampled_from(["a", "b", "c", "d"])


def key(name: str) -> Key:
    return Key("default", name)


def test_those_to_whom_something_happened_come_before_those_whose_time_has_come() -> None:
    agenda = Agenda()
    agenda.put(key("timed"), 10.0, 9.0)
    agenda.kick(key("first"), key("second"))
    agenda.kick(key("first"))
    assert agenda.next_at(10.0) == 10.0
    assert agenda.take(10.0, 2) == [key("first"), key("second")]
    assert agenda.take(10.0, 2) == [key("timed")]
    assert agenda.take(10.0, 2) == []
    assert agenda.next_at(10.0) is None


def test_one_that_is_both_is_taken_once() -> None:
    agenda = Agenda()
    agenda.put(key("a"), 10.0, 9.0)
    agenda.kick(key("a"))
    assert agenda.take(10.0, 9) == [key("a")]


def test_a_kick_without_a_name_is_for_everyone() -> None:
    agenda = Agenda()
    for name in "ab":
        agenda.put(key(name), None, 0.0)
    agenda.kick()
    assert set(agenda.take(0.0, 9)) == {key("a"), key("b")}


def test_another_time_takes_the_place_of_the_one_before() -> None:
    agenda = Agenda()
    agenda.put(key("a"), 100.5, 100.0)
    agenda.put(key("a"), 100.2, 100.0)
    assert agenda.take(100.3, 9) == [key("a")]
    assert agenda.take(100.6, 9) == []


@given(
    turns=st.lists(st.tuples(NAMES, st.floats(0, 20), st.floats(0, 7)), min_size=1, max_size=60),
    start=st.floats(0, 2e9),
)
def test_nobody_waits_longer_than_the_longest_look_nor_longer_than_asked_for(
    turns: list[tuple[str, float, float]], start: float
) -> None:
    agenda, now = Agenda(), start
    wanted: dict[Key, float] = {}
    for name, wait, passes in turns:
        agenda.put(key(name), now + wait, now)
        wanted[key(name)] = min(now + wait, now + LOOK_S)
        now += passes
        due = {name for name, at in wanted.items() if at <= now}
        taken = agenda.take(now, 9)
        assert due <= set(taken), "somebody waits too long"
        assert all(wanted.pop(each, None) is not None for each in taken), "somebody is taken twice"
        at = agenda.next_at(now)
        assert (at is None) == (not wanted)
        assert at is None or now < at <= min(wanted.values())


def test_the_looks_at_many_are_spread_evenly_over_the_time() -> None:
    agenda = Agenda()
    for number in range(2000):
        agenda.put(key(f"service-{number}"), None, 0.0)
    taken = [len(agenda.take(tenth / 2, 2000)) for tenth in range(1, 11)]
    assert sum(taken) == 2000
    assert max(taken) < 300
