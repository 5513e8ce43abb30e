"""In whatever order deliveries come, and however often, the ledger says the same."""

from collections import Counter

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.serve.hooking import EVERY, NOW, SECRET, Case, Secrets, signed, taken

from davy.adapters.memory_store import MemoryStore
from davy.control.hooks.delivery import Delivery
from davy.control.hooks.desk import Desk, Told


def delivery(case: Case, now: float = NOW) -> Delivery:
    headers = {"content-type": "application/json"} | case.headers | signed(case.scheme, SECRET, case.body)
    return Delivery({name.lower(): value for name, value in headers.items()}, case.body, now)


def steady() -> list[Case]:
    """Return the deliveries that contradict none before them: some cases tell the same event in other words."""
    log = MemoryStore()
    found = []
    for case in EVERY:
        if case.status in (200, 202) and not case.after:
            desk = Desk((case.source,), Secrets(case.secrets), log, lambda: NOW)
            sender = desk.sender(case.scheme, delivery(case))
            assert sender is not None
            if "refused" not in {each.outcome for each in taken(desk, sender, delivery(case)).events}:
                found.append(case)
    return found


STEADY = steady()


class Arriving(RuleBasedStateMachine):
    """One desk, to which deliveries come late, twice, in the wrong order, at different times."""

    def __init__(self) -> None:
        super().__init__()
        self.log = MemoryStore()
        self.now = NOW
        self.arrived: set[int] = set()

    @initialize()
    def begin(self) -> None:
        self.desks = {
            number: Desk((case.source,), Secrets(case.secrets), self.log, lambda: self.now)
            for number, case in enumerate(STEADY)
        }

    @rule(number=st.integers(0, len(STEADY) - 1))
    def arrives(self, number: int) -> None:
        case = STEADY[number]
        found = self.desks[number].sender(case.scheme, delivery(case))
        assert found is not None
        told = taken(self.desks[number], found, delivery(case))
        if number in self.arrived:
            assert {event.outcome for event in told.events} <= {"known"}
        assert not {event.outcome for event in told.events} & {"outside"}
        self.arrived.add(number)

    @rule(seconds=st.floats(0, 1e6))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def no_event_is_there_twice(self) -> None:
        names = Counter((entry.source, entry.id) for entry in self.log.entries() if entry.id)
        assert all(count == 1 for count in names.values())


TestArriving = Arriving.TestCase
TestArriving.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


def facts(order: list[Case]) -> set[bytes]:
    """Return what a ledger says after deliveries in an order, without places and times of arrival."""
    log = MemoryStore()
    for step, case in enumerate(order):
        desk = Desk((case.source,), Secrets(case.secrets), log, lambda step=step: NOW + step)  # type: ignore[misc]
        found = desk.sender(case.scheme, delivery(case))
        assert found is not None
        taken(desk, found, delivery(case))
    plain = (msgspec.structs.replace(each, seq=0, received=None, authenticated="") for each in log.entries())
    return {msgspec.json.encode(each, order="sorted") for each in plain}


def test_the_order_of_deliveries_changes_nothing_but_places() -> None:
    per_scheme = [
        [case for case in STEADY if case.scheme == scheme]
        for scheme in ("github", "alertmanager", "pagerduty", "sentry")
    ]
    for cases in per_scheme:
        assert facts(cases) == facts(cases[::-1]) == facts([*cases, *cases[::2], *cases])


def test_what_became_of_events_is_told_in_their_order() -> None:
    case = next(each for each in EVERY if each.outcomes == ["written", "outside"])
    log = MemoryStore()
    desk = Desk((case.source,), Secrets(case.secrets), log, lambda: NOW)
    found = desk.sender(case.scheme, delivery(case))
    assert found is not None
    first, second = taken(desk, found, delivery(case)).events
    assert first == Told("incident_opened", "Incident payments/c3f1d2e4a5b60718", "written", 1)
    assert (second.outcome, second.seq) == ("outside", 2)
