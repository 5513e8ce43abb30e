"""A flag ends when it says, and what is there already can still be changed for the better."""

from typing import Any

import pytest

from davy.control.flag_lifetimes import RULE, FlagLifetimes
from davy.control.governance import governed
from davy.model.instant import parse_instant
from davy.policy.engine import Point
from davy.policy.inventory import Inventory
from davy.policy.review import review_of

NOW = parse_instant("2027-03-02T00:00:00Z")


def flag(expiry: Any = "2027-03-01", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "davy.dev/v1alpha1",
        "kind": "FeatureFlag",
        "metadata": {"name": "checkout.discount-enabled"},
        "spec": {"expiry": expiry, **spec},
    }


def said(found: dict[str, Any], now: float = NOW, **more: Any) -> list[tuple[str, str]]:
    review = review_of(found, **more)
    return [(each.rule, each.action) for each in FlagLifetimes(now).judge(review, Inventory(), Point.CHECK)]


def test_a_day_is_over_with_its_last_second_in_utc() -> None:
    assert said(flag(), NOW - 1) == []
    assert said(flag(), NOW) == [(RULE, "deny")]


@pytest.mark.parametrize(
    "found",
    [flag(retired=True), flag("soon"), flag(7), {**flag(), "kind": "Rollout"}, {**flag(), "spec": None}],
)
def test_what_has_no_end_that_is_past_is_for_others(found: dict[str, Any]) -> None:
    assert said(found, NOW + 1e6) == []


def test_a_flag_that_is_there_and_keeps_its_end_is_told_of() -> None:
    assert said(flag(state="DISABLED"), old=flag()) == [(RULE, "warn")]
    assert said(flag(), old=flag("2027-02-01")) == [(RULE, "deny")]


def test_it_is_among_what_governs_everywhere() -> None:
    governance, _ = governed(point=Point.CHECK, now=NOW)
    decision = governance.decide(review_of(flag()))
    assert not decision.allowed
    assert "should have been gone 0 s ago (2027-03-01)" in decision.violations[0].message
