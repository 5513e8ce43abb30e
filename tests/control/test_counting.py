"""What a judge is told: counts of the data plane, and events by queries, of which nothing is no zero."""

import msgspec

from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.series import Labels, SeriesStore
from davy.analysis.tally import Tally
from davy.control.counting import Reading, count
from davy.model.judge import Judge

JUDGE = {
    "apiVersion": "davy.dev/v1alpha1",
    "kind": "Judge",
    "metadata": {"name": "shop"},
    "spec": {
        "service": "shop",
        "metrics": [
            {"name": "error_ratio"},
            {
                "name": "checkout",
                "kind": "conversions",
                "counter": {
                    "tried": 'sum(carts{hash="{{version}}"})',
                    "happened": 'sum(orders{hash="{{version}}"})',
                },
            },
        ],
    },
}


def read(series: dict[tuple[str, str], float], *, tried: str = "") -> Reading:
    store = SeriesStore()
    for (name, hash_), value in series.items():
        store.append(Labels({"__name__": name, "hash": hash_}), 9_000, value)
    plain = msgspec.json.encode(JUDGE).decode()
    judge = msgspec.json.decode(plain.replace("sum(carts", tried) if tried else plain, type=Judge)
    tallies = {"new": Tally(100, 3, latency=(1, 2)), "old": Tally(900, 9)}
    return count(judge, 10.0, tallies, "new", "old", Engine(store))


FULL = {("carts", "new"): 40.0, ("orders", "new"): 10.0, ("carts", "old"): 400.0, ("orders", "old"): 130.0}


def test_both_sides_have_what_was_counted_of_them() -> None:
    found = read(FULL)
    assert (found.canary.requests, found.canary.errors, found.canary.histogram) == (100, 3, (1, 2))
    assert (found.canary.events, found.stable.events) == ({"checkout": (40, 10)}, {"checkout": (400, 130)})
    assert not found.unread


def test_what_was_tried_and_never_happened_is_zero() -> None:
    found = read({key: value for key, value in FULL.items() if key != ("orders", "new")})
    assert found.canary.events == {"checkout": (40, 0)}
    assert not found.unread


def test_nothing_is_no_zero() -> None:
    found = read({key: value for key, value in FULL.items() if key[1] != "new"})
    assert found.canary.events == {}
    assert found.unread == "nothing is counted of checkout of the canary"
    assert read({key: value for key, value in FULL.items() if key[1] == "new"}).unread.endswith("of stable")


def test_a_query_that_is_no_counter_is_told() -> None:
    assert read(FULL, tried="rate(carts[1m] offset (").unread.startswith("checkout cannot be counted: ")
