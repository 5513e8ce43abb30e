"""Nothing is kept from going for being what it is; what is said of its going counts."""

from dataclasses import replace
from typing import Any

import pytest
from tests.policy.gatekeeper.documents import constraint, template
from tests.policy.test_parked import SEEDS_POLICY, deployment

from davy.policy.decision import Decision, decide
from davy.policy.engine import Point
from davy.policy.inventory import Inventory
from davy.policy.review import Review, review_of
from davy.policy.ruleset import read


def going(found: Any) -> Review:
    return replace(review_of(found), object=None, old_object=found, operation="DELETE")


def asked(review: Review, rules: Any = SEEDS_POLICY, point: Point = Point.CHECK) -> Decision:
    return decide([rules], review, Inventory(), point=point)


def saying(body: str) -> Any:
    return read([template(f'package always\nviolation[{{"msg": msg}}] {{ {body} }}'), constraint()])


@pytest.mark.parametrize("point", [Point.CHECK, Point.ADMISSION, Point.ENGINE])
def test_what_the_seed_forbids_may_be_taken_away(point: Point) -> None:
    assert not asked(review_of(deployment(3)), point=point).allowed
    assert asked(going(deployment(3)), point=point) == Decision()


@pytest.mark.parametrize(
    "body",
    [
        'input.review.operation == "DELETE"; msg := "it stays"',
        'msg := sprintf("no %s", [input.review.operation])',
    ],
    ids=["a policy about deletions", "a policy that says what is done"],
)
def test_what_is_said_of_the_deletion_alone_counts(body: str) -> None:
    assert not asked(going(deployment(3)), saying(body)).allowed


def test_a_policy_that_cannot_be_evaluated_refuses_a_deletion_too() -> None:
    rules = saying('x := {"a": y | y := [1, 2][_]}; msg := "never"')
    broken = read([template('package always\nviolation[{"msg": "no"}] {'), constraint()])
    for each in (rules, broken):
        decision = asked(going(deployment(3)), each)
        assert [violation.broken for violation in decision.violations] == [True]
        assert not decision.allowed


def test_what_a_policy_says_as_it_is_and_as_it_will_be_is_said_once() -> None:
    rules = saying('msg := "no"')
    once = decide([rules], review_of(deployment(3)), Inventory(), point=Point.CHECK)
    assert decide([rules, rules], review_of(deployment(3)), Inventory(), point=Point.CHECK) == once
    assert len(once.violations) == 1
