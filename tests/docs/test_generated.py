"""What is written from tables is as the tables are, and every rule is shown by a test that is there."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.docs import generated

TESTS = Path(__file__).parents[1]
RULES = list(generated.rules())


def test_the_page_on_argo_rollouts_is_what_the_tables_say() -> None:
    assert (generated.REFERENCE / "argo-rollouts.md").read_text() == generated.argo_rollouts(), "run ./dev docs"


def test_the_fields_of_every_kind_are_what_the_tables_say() -> None:
    page = (generated.REFERENCE / "kinds.md").read_text()
    assert page == generated.kinds(page), "run ./dev docs"


def test_the_dashboard_is_what_is_made() -> None:
    assert generated.GRAFANA.read_text() == generated.grafana(), "run ./dev docs"


@pytest.mark.parametrize(("section", "rule"), RULES, ids=[rule["argo"][:40] for _, rule in RULES])
def test_a_rule_has_a_verdict_a_reason_and_a_test_that_is_there(section: str, rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"argo", "verdict", "davy", "test"}
    assert rule["verdict"] in ("honoured", "stricter", "refused")
    assert ("davy" in rule) is (rule["verdict"] != "honoured"), "what differs says how and why"
    path, _, name = rule["test"].partition("::")
    assert re.search(rf"^def {name}\(", (TESTS / path).read_text(), re.MULTILINE), f"{section}: {rule['test']}"


def test_no_rule_is_written_twice() -> None:
    said = [rule["argo"] for _, rule in RULES]
    assert len(set(said)) == len(said)
