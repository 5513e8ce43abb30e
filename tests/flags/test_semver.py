"""Versions: the order of semver.org, and what flagd adds to it."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.flags.semver import compare, version

ORDERED = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "2.0.0",
    "10.0.0",
]


def test_versions_have_the_order_of_the_specification() -> None:
    for lower, higher in pairwise(ORDERED):
        assert [compare(lower, each, higher) for each in ("<", "<=", ">", ">=", "=", "!=")] == [
            True,
            True,
            False,
            False,
            False,
            True,
        ]


@pytest.mark.parametrize(
    ("left", "operator", "right", "answer"),
    [
        ("v1.2.3", "=", "1.2.3", True),
        ("V1", "=", "1.0.0", True),
        (1, "=", "1.0", True),
        (1.5, "=", "1.5.0", True),
        ("1.2.3+build", "=", "1.2.3", True),
        ("1-rc.1.2", "<", "1", True),
        ("1.9.0", "^", "1.0.0", True),
        ("2.0.0", "^", "1.0.0", False),
        ("1.2.9", "~", "1.2.0", True),
        ("1.3.0", "~", "1.2.0", False),
        ("1.2.3", "=>", "1.2.3", None),
        ("1.2.3", ["="], "1.2.3", None),
        (None, "=", "1.2.3", None),
        ("1.2.3", "=", True, None),
        ("01.2.3", "=", "1.2.3", None),
        ("1.2.3-01", "=", "1.2.3-1", None),
        ("1.2.3.4", "=", "1.2.3.4", None),
        ("vv1", "=", "1", None),
        ("1" * 300, "=", "1", None),
    ],
)
def test_a_comparison(left: Any, operator: Any, right: Any, answer: bool | None) -> None:
    assert compare(left, operator, right) is answer


numbers = st.integers(0, 10**6)


@given(numbers, numbers, numbers)
def test_parts_that_are_left_out_are_zero(major: int, minor: int, patch: int) -> None:
    assert version(f"{major}.{minor}.{patch}") == (major, minor, patch, (1, ()))
    assert version(f"v{major}") == version(f"{major}.0.0")
