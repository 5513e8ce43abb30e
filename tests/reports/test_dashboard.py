"""The dashboard asks only for what is exported, in PromQL, and its panels do not lie on each other."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from davy.reports.dashboard import ALL, COLUMNS, dashboard
from davy.reports.gauges import BY_NAME, METRICS

PANELS = dashboard()["panels"]
QUERIES = [(panel["title"], target) for panel in PANELS for target in panel.get("targets", [])]
KINDS = {"row", "stat", "timeseries", "table", "bargauge"}


def filled(expression: str) -> str:
    """Put in what Grafana puts in."""
    found = expression.replace("$service", "payments|catalog").replace("$window", "30d")
    assert "$" not in found, f"a variable that nothing fills: {found}"
    return found


def selectors(node: Any) -> Iterator[promql_parser.VectorSelector]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        if (inner := getattr(node, name, None)) is not None:
            yield from selectors(inner)


@pytest.mark.parametrize(("title", "target"), QUERIES, ids=[target["expr"] for _, target in QUERIES])
def test_every_query_parses_and_names_what_is_exported(title: str, target: dict[str, Any]) -> None:
    found = list(selectors(promql_parser.parse(filled(target["expr"]))))
    assert found, title
    for selector in found:
        metric = BY_NAME[str(selector.name)]
        assert {matcher.name for matcher in selector.matchers.matchers} <= set(metric.labels)
    labels = set.intersection(*({*BY_NAME[str(selector.name)].labels} for selector in found))
    assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels | {"status"}


def test_every_metric_but_the_version_is_looked_at() -> None:
    asked = {s.name for _, target in QUERIES for s in selectors(promql_parser.parse(filled(target["expr"])))}
    assert asked == {metric.name for metric in METRICS} - {
        "davy_build_info",
        "davy_delivery_metrics_current",
        "davy_rework_ratio",
    }


def test_panels_are_in_the_grid_and_not_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["w"] > 0
        assert place["h"] > 0
        assert place["x"] + place["w"] <= COLUMNS
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
            )
        )
        assert not cells & taken, panel["title"]
        taken |= cells


def test_panels_are_what_grafana_reads() -> None:
    made = dashboard()
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert {panel["type"] for panel in PANELS} <= KINDS
    for panel in PANELS:
        references = [target["refId"] for target in panel.get("targets", [])]
        assert len(set(references)) == len(references)
        assert None not in [panel.get("options", {}), panel.get("fieldConfig", {})]
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["fieldConfig"]["defaults"]["unit"]
    assert {variable["name"] for variable in made["templating"]["list"]} == {"datasource", "service", "window"}
    assert made["templating"]["list"][1]["current"]["value"] == [ALL]


def test_names_are_each_there_once_and_sorted() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"davy_[a-z_]+", name) for name in names)
