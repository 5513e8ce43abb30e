"""What a machine can mend is mended at its place, and nothing else is touched."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.control.field_edits import mended
from davy.model.finding import Finding, Place
from davy.model.loader import load_all

ROLLOUT = """\
# ours
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: pay
spec:
  # three is enough
  replicas: 3   # really
  strategy: {canary: {steps: []}}
"""


def finding(code: str, line: int = 5, **more: Any) -> Finding:
    return Finding(code, "error", "t", Place("a.yaml", line, 3), **more)


def fixed(text: str, *codes: str) -> str:
    return mended(text, "a.yaml", [finding(code) for code in codes])


def test_a_field_that_is_missing_comes_before_its_neighbours() -> None:
    assert fixed(ROLLOUT, "PD038") == ROLLOUT.replace(
        "  replicas: 3", "  progressDeadlineAbort: true\n  replicas: 3"
    )


def test_a_field_that_is_there_gets_the_value() -> None:
    text = ROLLOUT.replace("  replicas", "  progressDeadlineAbort: false # no\n  replicas")
    assert fixed(text, "PD038") == text.replace("false # no", "true # no")


def test_fields_above_it_are_made() -> None:
    assert "  rollbackWindow:\n    revisions: 3\n  replicas: 3" in fixed(ROLLOUT, "PD039")


def test_several_rules_are_mended_at_once_and_mending_twice_changes_nothing() -> None:
    once = fixed(ROLLOUT, "PD038", "PD040", "PD039")
    (document,) = load_all([("a.yaml", once)], raw=True).raw
    spec = document.value["spec"]
    assert (spec["progressDeadlineAbort"], spec["revisionHistoryLimit"]) == (True, 2)
    assert fixed(once, "PD038", "PD040", "PD039") == once


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("spec: {replicas: 3}", "spec: {progressDeadlineAbort: true, replicas: 3}"),
        ("spec: {}", "spec: {progressDeadlineAbort: true}"),
        ("spec:", "spec:"),
        ("spec: 3", "spec: 3"),
        ("spec: &a {}", "spec: &a {}"),
        ("spec:\n    replicas: 3", "spec:\n    progressDeadlineAbort: true\n    replicas: 3"),
        ("spec: {a: 1, a: 2}", "spec: {a: 1, a: 2}"),
    ],
)
def test_each_way_of_writing_stays_what_it_is(before: str, after: str) -> None:
    head = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata:\n\n  name: pay\n"
    assert fixed(f"{head}{before}\n", "PD038") == f"{head}{after}\n"


def test_line_ends_and_json_stay_as_they_are() -> None:
    assert "\r\n  progressDeadlineAbort: true\r\n" in fixed(ROLLOUT.replace("\n", "\r\n"), "PD038")
    text = '{"kind": "Rollout", "apiVersion": "argoproj.io/v1alpha1", "spec": {"replicas": 3}}'
    found = mended(text, "a.yaml", [finding("PD038", 1)])
    assert found == text.replace('{"replicas"', '{"progressDeadlineAbort": true, "replicas"')


def test_only_what_a_machine_can_mend_is_and_only_where_it_is_wrong() -> None:
    assert fixed(ROLLOUT, "PD022", "DV003", "K8sAnything") == ROLLOUT
    two = f"{ROLLOUT}---\n{ROLLOUT}"
    assert mended(two, "a.yaml", [finding("PD038", 15)]).startswith(ROLLOUT)
    assert mended(ROLLOUT, "a.yaml", [finding("PD038", waived="w-1")]) == ROLLOUT


@given(st.text("{}[]:-#&*!|>'\"% abc\n,", max_size=40))
def test_no_text_makes_it_raise(text: str) -> None:
    head = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: pay}\n\n"
    fixed(f"{head}spec:\n  {text}", "PD038", "PD039", "PD034", "PD040")
