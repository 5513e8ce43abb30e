"""The rules of the delivery metrics, case by case: what happened, and the figures that it makes by hand."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from davy.reports.cells import digest
from davy.reports.cloudevents import TYPES, read
from davy.reports.document import document
from davy.reports.event import ChangeEvent
from davy.reports.incremental import Incremental
from davy.reports.recompute import compute
from davy.reports.report import Query, Report
from davy.reports.rules import facts
from davy.reports.weekly import cells

CASES = Path(__file__).parents[1] / "cases" / "dora"
NAMES: dict[str, str] = {short: long for long, short in TYPES.items()}
OTHERS = {"at", "id", "source", "repo", "commit"}


def known() -> list[Any]:
    """Load the cases; each has a rule, what it is about, events and figures."""
    loader = YAML(typ="safe", pure=True)
    found = [case for path in sorted(CASES.glob("*.yaml")) for case in loader.load(path.read_text())]
    return [pytest.param(case, id=f"{case['rule']} {case['what']}") for case in found]


def instant(text: str) -> str:
    """Write out `2T10:00:00`, the second of March 2026."""
    day, _, time = text.partition("T")
    return f"2026-03-{int(day):02}T{time}Z" if len(day) <= 2 else text


def line(number: int, told: dict[str, Any]) -> bytes:
    """Write out an event: its type with its change or incident, the time, and what else is in `data`."""
    kind, subject = next(iter(told.items()))
    data = {name: value for name, value in told.items() if name != kind and name not in OTHERS}
    data = {name: instant(value) if name.endswith("At") else value for name, value in data.items()}
    repo = told.get("repo", "acme/pay")
    if kind in ("opened", "restored"):
        data["incident"] = subject
        data |= {"change": {"repo": repo, "commit": data["change"]}} if "change" in data else {}
    else:
        data["change"] = {"repo": repo, "commit": subject}
    if kind not in ("created", "merged"):
        data.setdefault("service", "pay")
    envelope = {"specversion": "1.0", "id": told.get("id", str(number)), "source": told.get("source", "ci")}
    return json.dumps({**envelope, "type": NAMES[kind], "time": instant(told["at"]), "data": data}).encode()


def events_of(case: dict[str, Any]) -> list[ChangeEvent]:
    text = b"\n".join(line(number, told) for number, told in enumerate(case["events"], 1))
    return read(io.BytesIO(text), case["what"])


def asked(case: dict[str, Any]) -> Query:
    given = dict(case.get("query", {}))
    for name in ("since", "until"):
        if name in given:
            (event,) = read(io.BytesIO(line(0, {"merged": "c", "at": given[name]})), "-")
            given[name] = event.time
    return Query(**{**given, "services": tuple(given.get("services", ()))})


def short(figure: dict[str, Any], wanted: Any) -> Any:
    """Say of a figure what a case says of it."""
    if isinstance(wanted, dict):
        return {name: figure[name] for name in wanted}
    if isinstance(wanted, str):
        return f"{figure['numerator']}/{figure['denominator']}"
    if "p50" in figure:
        return figure["p50"]
    return figure["value"]


def told(figures: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: short(figures[name], want) for name, want in wanted.items()}


@pytest.mark.parametrize("case", known())
def test_figures_are_those_computed_by_hand(case: dict[str, Any]) -> None:
    report: Report = compute(events_of(case), asked(case))
    found = document(report)
    assert told(found["figures"], case.get("figures", {})) == case.get("figures", {})
    quality = case.get("quality", {})
    assert {name: found["dataQuality"][name] for name in quality} == quality
    window = case.get("window", {})
    assert {name: found["window"][name] for name in window} == window
    groups = {group["name"]: group["figures"] for group in found["groups"]}
    wanted = case.get("groups", {})
    assert {name: told(groups.get(name, {}), want) for name, want in wanted.items()} == wanted
    environment = report.query.environment
    assert digest(cells(facts(events_of(case), environment))) == report.digest
    kept = Incremental(environment)
    for event in events_of(case):
        kept.apply([event])
        kept.refresh()
    assert digest(kept.cells()) == report.digest
    if "open" in case:
        assert [[each["incident"], each["age"]] for each in found["openIncidents"]] == case["open"]


def test_every_rule_has_a_case() -> None:
    rules = {rule for case in known() for rule in re.findall(r"R\d+", case.values[0]["rule"])}
    assert rules == {f"R{number}" for number in range(1, 29)}
