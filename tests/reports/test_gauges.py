"""What is exported is what Prometheus reads."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.promql.exposition import parse_exposition
from davy.reports.gauges import METRICS, Sample, exposition


def test_samples_are_grouped_and_nothing_is_said_of_what_nobody_knows() -> None:
    text = exposition(
        [
            Sample("davy_open_incidents", {"service": "pay"}, 2),
            Sample("davy_ledger_entries", {}, 7),
            Sample("davy_open_incidents", {"service": 'a"\\\n'}, 0),
            Sample("davy_rework_ratio", {"service": "pay", "window": "7d"}, math.nan),
        ]
    )
    assert text == (
        "# HELP davy_ledger_entries Entries of the ledger.\n"
        "# TYPE davy_ledger_entries gauge\n"
        "davy_ledger_entries 7\n"
        "# HELP davy_open_incidents Incidents that are not restored.\n"
        "# TYPE davy_open_incidents gauge\n"
        'davy_open_incidents{service="a\\"\\\\\\n"} 0\n'
        'davy_open_incidents{service="pay"} 2\n'
    )


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False), max_size=4))
def test_whatever_a_service_is_called_is_read_back(ages: dict[str, float]) -> None:
    samples = [
        Sample("davy_oldest_open_incident_seconds", {"service": name}, age) for name, age in ages.items()
    ]
    read = parse_exposition(exposition(samples))
    assert {dict(each.labels).get("service", ""): each.value for each in read} == ages


def test_a_sample_has_the_labels_of_its_metric() -> None:
    with pytest.raises(AssertionError, match="labels"):
        exposition([Sample("davy_open_incidents", {}, 1)])
    with pytest.raises(KeyError):
        exposition([Sample("davy_made_up", {}, 1)])


def test_every_metric_is_told_with_its_labels() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "show-delivery.md").read_text()
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        assert f"| `{metric.name}` | {labels} | {metric.purpose.rstrip('.')} |" in page
