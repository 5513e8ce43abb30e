"""What Prometheus is told: every metric that the dashboard may ask for, and nothing that nobody knows."""

from davy.adapters.memory_store import MemoryStore
from davy.analysis.promql.exposition import parse_exposition
from davy.control.delivery import Delivery
from davy.ledger.entry import Draft
from davy.ledger.log import Head
from davy.ledger.store import StoreUnavailable
from davy.reports.gauges import METRICS
from davy.serve.delivery import DeliveryMetrics


def event(kind: str, at: float, **detail: object) -> Draft:
    told = {"change": {"repo": "r", "commit": "c"}, "service": "pay", **detail}
    return Draft(at, kind, "Service pay", told, source="ci", id=f"{kind}{at}")


def test_the_metrics_of_a_ledger() -> None:
    store = MemoryStore()
    store.append(
        [
            event("change_merged", 10.0),
            event("change_exposed", 70.0, weight=5),
            event("change_promoted", 80.0),
            Draft(90.0, "incident_opened", "s", {"service": "pay", "incident": "I1"}, source="p", id="1"),
            Draft(95.0, "incident_restored", "s", {"service": "pay", "incident": "I1"}, source="p", id="2"),
            Draft(99.0, "incident_opened", "s", {"service": "pay", "incident": "I2"}, source="p", id="3"),
        ]
    )
    delivery = Delivery(store, lambda: 0.0)
    delivery.look()
    delivery.trouble = ""
    group = DeliveryMetrics(delivery, store, tuple)
    assert group.routes() == ()
    assert group.doubt() == ""
    read = parse_exposition(group.metrics())
    named = {sample.name for sample in read}
    of_an_engine = {"davy_rollout_status", "davy_rollout_weight_percent", "davy_ledger_checkpoint_entries"}
    assert named == {metric.name for metric in METRICS} - of_an_engine
    assert next(each.value for each in read if each.name == "davy_ledger_entries") == 6


def test_a_store_that_cannot_be_read_takes_no_other_metric_with_it() -> None:
    class Broken(MemoryStore):
        def head(self) -> Head:
            raise StoreUnavailable("the disk is on fire")

    group = DeliveryMetrics(Delivery(Broken(), lambda: 0.0), Broken(), tuple)
    read = {sample.name: sample.value for sample in parse_exposition(group.metrics())}
    assert read == {"davy_build_info": 1, "davy_delivery_metrics_current": 0}
