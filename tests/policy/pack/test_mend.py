"""What a machine mends is mended, and nothing else is touched."""

from copy import deepcopy
from typing import Any

import pytest
from tests.policy.pack.asking import policies

from davy.policy import pack
from davy.policy.engine import Point
from davy.policy.inventory import Inventory
from davy.policy.pack.example import steps
from davy.policy.review import Json, Object, review_of

MENDABLE = [
    (rule.id, example)
    for rule in pack.RULES.values()
    if rule.machine_fix
    for example in pack.examples()[rule.id].firing
]


def put(found: Object, edits: tuple[pack.Edit, ...]) -> Any:
    """Make the edits."""
    mended: Any = deepcopy(found)
    for edit in edits:
        *around, last = steps(edit.path)
        inner = mended
        for step in around:
            inner = inner.setdefault(step, {})
        inner[last] = edit.value
    return mended


def broken(found: Object, example: pack.Example) -> set[str]:
    review = review_of(found, namespace=example.namespace)
    inventory = Inventory(example.inventory)
    said = policies(example.parameters).judge(review, inventory, Point.CHECK)
    return {violation.rule for violation in said}


@pytest.mark.parametrize(
    ("rule", "example"), MENDABLE, ids=[f"{rule}: {found.note}" for rule, found in MENDABLE]
)
def test_what_is_mended_breaks_the_rule_no_more(rule: str, example: pack.Example) -> None:
    subject = example.review.subject
    edits = pack.mend(rule, subject, example.parameters)
    assert edits
    assert broken(put(subject, edits), example) == broken(subject, example) - {rule}


@pytest.mark.parametrize("rule", sorted(set(pack.RULES) - {rule for rule, _ in MENDABLE}))
def test_where_a_person_has_to_choose_nothing_is_mended(rule: str) -> None:
    for example in pack.examples()[rule].firing:
        assert pack.mend(rule, example.review.subject) == ()


@pytest.mark.parametrize("written", [None, "5", [], {}])
def test_a_delay_that_is_no_number_is_left_alone(written: Json) -> None:
    found = {"spec": {"strategy": {"blueGreen": {"scaleDownDelaySeconds": written}, "canary": None}}}
    assert pack.mend("PD035", found) == ()
