"""The figures of a ledger that grows are those of all of it, and what becomes of final ones is on record."""

import threading
from collections.abc import Callable

import pytest

from davy.adapters.memory_store import MemoryStore
from davy.control.delivery import Delivery
from davy.ledger.entry import Draft
from davy.ledger.log import Head
from davy.ledger.store import StoreUnavailable
from davy.reports.dashboard import ALL
from davy.reports.gauges import BY_NAME, Sample

DAY = 86400.0
WEEK = 7 * DAY


def told(kind: str, at: float, **detail: object) -> Draft:
    known = {"change": {"repo": "github.com/acme/pay", "commit": "c1"}, "service": "pay", **detail}
    return Draft(at, kind, "Service pay", known, source="ci", id=f"{kind}{at}{sorted(detail)}", received=at)


def incident(kind: str, at: float, name: str) -> Draft:
    return Draft(
        at, kind, "Service pay", {"service": "pay", "incident": name}, source="pager", id=f"{kind}{at}"
    )


def value(samples: tuple[Sample, ...], name: str, **labels: str) -> float | None:
    found = [each.value for each in samples if each.name == name and labels.items() <= each.labels.items()]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def delivery(store: MemoryStore) -> Delivery:
    return Delivery(store, lambda: 5 * WEEK)


def test_a_ledger_without_changes_says_nothing_of_any(delivery: Delivery) -> None:
    delivery.look()
    assert value(delivery.samples, "davy_changes", outcome="exposed", window="30d", service=ALL) == 0
    assert not [each for each in delivery.samples if "ratio" in each.name]


def test_what_is_appended_is_counted_at_the_next_look(store: MemoryStore, delivery: Delivery) -> None:
    delivery.look()
    store.append(
        [
            told("change_merged", DAY),
            told("change_exposed", DAY + 60, weight=5),
            told("change_rolled_back", DAY + 90),
            incident("incident_opened", DAY + 70, "INC-1"),
        ]
    )
    delivery.look()
    pay = {"service": "pay", "window": "7d"}
    assert value(delivery.samples, "davy_change_failure_ratio", definition="seed", **pay) == 1
    assert value(delivery.samples, "davy_lead_time_seconds", quantile="0.5", **pay) == 60
    assert value(delivery.samples, "davy_open_incidents", service="pay") == 1
    assert value(delivery.samples, "davy_oldest_open_incident_seconds", service=ALL) == 20
    store.append([incident("incident_restored", DAY + 130, "INC-1")])
    delivery.look()
    assert value(delivery.samples, "davy_open_incidents", service="pay") == 0
    assert value(delivery.samples, "davy_time_to_restore_seconds", quantile="0.5", **pay) == 60
    assert all(set(each.labels) == set(BY_NAME[each.name].labels) for each in delivery.samples)


def test_a_final_week_that_something_late_changes_is_restated_on_record(
    store: MemoryStore, delivery: Delivery
) -> None:
    store.append([told("change_exposed", DAY), told("change_exposed", 4 * WEEK, attempt=2)])
    delivery.look()
    late = told("change_rolled_back", DAY + 60)
    store.append([late])
    delivery.look()
    delivery.look()
    restated = [entry for entry in store.entries() if entry.kind == "metrics_restated"]
    assert {entry.detail["service"] for entry in restated} >= {"pay"}
    [ours] = [entry for entry in restated if entry.detail["service"] == "pay"]
    assert ours.detail["figures"]["failed"] == [0, 1]
    assert ours.detail["window"] == "1969-12-29"


def test_an_entry_that_corrects_earlier_ones_has_all_of_them_read_again(
    store: MemoryStore, delivery: Delivery
) -> None:
    store.append([told("change_merged", DAY), told("change_exposed", DAY + 60, weight=5)])
    delivery.look()
    renamed = {"what": "service", "from": "pay", "to": "payments"}
    store.append([Draft(DAY / 2, "service_renamed", "Service pay", renamed)])
    delivery.look()
    window = {"window": "7d", "outcome": "exposed"}
    assert value(delivery.samples, "davy_changes", service="payments", **window) == 1
    assert value(delivery.samples, "davy_changes", service="pay", **window) is None


def test_a_thread_keeps_at_it_and_says_what_keeps_it_from_it(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("davy.control.delivery.LOOK_S", 0.005)
    full = Broken()
    following = Delivery(full, lambda: 0.0)
    following.start()
    wait_for(lambda: "the disk is on fire" in following.trouble)
    full.broken = False
    wait_for(lambda: not following.trouble)
    following.stop()


class Broken(MemoryStore):
    """A store that cannot be read for a while."""

    broken = True

    def head(self) -> Head:
        if self.broken:
            raise StoreUnavailable("the disk is on fire")
        return super().head()


def wait_for(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(2000):
        if true():
            return
        pause.wait(0.005)
    raise AssertionError("it never came true")
