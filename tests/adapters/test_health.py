import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.adapters.health import Health, Kind
from davy.model.pod import Container, Probe


def health(
    *,
    readiness: Probe | None = None,
    liveness: Probe | None = None,
    startup: Probe | None = None,
    ready: bool = False,
    speed: float = 1.0,
) -> Health:
    container = Container("app", readiness_probe=readiness, liveness_probe=liveness, startup_probe=startup)
    return Health(container, 100.0, lambda seconds: seconds / speed, ready=ready)


def test_without_probes_it_is_ready_once_the_port_accepts_and_never_asked_again() -> None:
    it = health()
    assert list(it.due(100.0)) == [Kind.READINESS]
    it.note(Kind.READINESS, "connection refused", 100.0)
    assert (it.ready, it.failing) == (False, "connection refused")
    it.note(Kind.READINESS, "", 100.1)
    assert (it.ready, it.failing, it.next_at()) == (True, "", math.inf)


def test_what_is_not_ready_is_asked_soon_and_then_less_and_less_often() -> None:
    it = health(readiness=Probe(period_seconds=10))
    pauses = []
    now = 100.0
    for _ in range(30):
        it.note(Kind.READINESS, "no", now)
        pauses.append(it.next_at() - now)
        now = it.next_at()
    assert pauses[0] == pytest.approx(0.02)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(1.0)


def test_what_is_ready_is_asked_every_period() -> None:
    it = health(readiness=Probe(period_seconds=10), speed=20)
    it.note(Kind.READINESS, "", 100.0)
    assert it.next_at() == pytest.approx(100.5)


@given(st.integers(1, 5), st.integers(1, 5), st.lists(st.booleans(), max_size=30))
@settings(max_examples=100)
def test_readiness_changes_only_after_as_many_answers_in_a_row_as_its_thresholds_say(
    success: int, failure: int, answers: list[bool]
) -> None:
    it = health(readiness=Probe(success_threshold=success, failure_threshold=failure))
    row, ready = 0, False
    for number, well in enumerate(answers):
        row = (max(row, 0) + 1) if well else (min(row, 0) - 1)
        ready = True if row >= success else False if row <= -failure else ready
        it.note(Kind.READINESS, "" if well else "no", 100.0 + number)
        assert it.ready == ready
        assert not (it.ready and it.failing)


def test_a_first_answer_waits_for_the_initial_delay() -> None:
    it = health(readiness=Probe(initial_delay_seconds=8), speed=2)
    assert it.due(103.9) == {}
    assert it.next_at() == 104.0
    assert list(it.due(104.0)) == [Kind.READINESS]


def test_a_success_that_is_not_enough_waits_a_period_for_the_next() -> None:
    it = health(readiness=Probe(success_threshold=2, period_seconds=5))
    it.note(Kind.READINESS, "", 100.0)
    assert not it.ready
    assert it.next_at() == 105.0


def test_liveness_condemns_after_its_failures_in_a_row() -> None:
    it = health(liveness=Probe(failure_threshold=2, period_seconds=3))
    it.note(Kind.LIVENESS, "no", 100.0)
    it.note(Kind.LIVENESS, "", 103.0)
    it.note(Kind.LIVENESS, "no", 106.0)
    condemned_before = it.condemned
    it.note(Kind.LIVENESS, "no answer", 109.0)
    assert (condemned_before, it.condemned) == ("", "liveness probe failed: no answer")


def test_nothing_else_is_asked_before_it_has_started() -> None:
    it = health(startup=Probe(), readiness=Probe(), liveness=Probe())
    assert list(it.due(100.0)) == [Kind.STARTUP]
    it.note(Kind.STARTUP, "still loading", 100.0)
    assert it.failing == "still loading"
    it.note(Kind.STARTUP, "", 101.0)
    assert set(it.due(101.0)) == {Kind.READINESS, Kind.LIVENESS}


def test_a_start_may_take_as_long_as_its_failures_would() -> None:
    it = health(startup=Probe(period_seconds=2, failure_threshold=5, initial_delay_seconds=1))
    now = 101.0
    while now < 111.0:
        it.note(Kind.STARTUP, "loading", now)
        assert not it.condemned
        now = it.next_at()
    it.note(Kind.STARTUP, "loading", now)
    assert it.condemned == "startup probe failed: loading"


def test_only_readiness_keeps_the_clock_of_the_rollout() -> None:
    it = health(readiness=Probe(), liveness=Probe(), startup=Probe(initial_delay_seconds=5), speed=20)
    assert it.next_at() == 105.0
    it.note(Kind.STARTUP, "", 105.0)
    it.note(Kind.LIVENESS, "", 105.0)
    it.note(Kind.READINESS, "", 105.0)
    assert it.next_at() == 105.5
    assert set(it.due(114.9)) == {Kind.READINESS}


def test_an_adopted_process_that_was_ready_is_still_ready() -> None:
    it = health(ready=True, startup=Probe(), readiness=Probe())
    assert it.ready
    assert list(it.due(100.0)) == [Kind.READINESS]
    assert health(ready=True).next_at() == math.inf
