"""How `fractional` draws: published vectors of its parts, the answers of others, and its promises."""

import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmh3 import hash as murmur3

from davy.flags import load
from davy.flags.bucketing import MOST, encoded, weight
from davy.flags.governance import Bucketing

from .asking import said

CASES = json.loads((Path(__file__).parents[1] / "cases" / "flags" / "fractional_v2.json").read_text())["cases"]
HALVES = [["on", 50], ["off", 50]]
EMAIL = {"var": "email"}


@pytest.mark.parametrize(
    ("data", "hashed"),
    [
        (b"", 0),
        (b"test", 0xBA6BD213),
        (b"Hello, world!", 0xC0363E43),
        (b"The quick brown fox jumps over the lazy dog", 0x2E4FF723),
    ],
)
def test_the_hash_is_murmur3_of_32_bits(data: bytes, hashed: int) -> None:
    """Vectors as they are published with MurmurHash3 x86_32, seed 0."""
    assert murmur3(data, 0, False) == hashed


@pytest.mark.parametrize(
    ("value", "hexadecimal"),
    [
        (0, "00"),
        (23, "17"),
        (1000, "1903e8"),
        (-1, "20"),
        (1.0, "01"),
        (1.5, "f93e00"),
        (1.1, "fb3ff199999999999a"),
        (1e20, "fa60ad78ec"),
        (True, "f5"),
        ("", "60"),
        ("IETF", "6449455446"),
        ("ü", "62c3bc"),
        ([1, [2.0, 3]], "8201820203"),
        ({"b": 1, "a": 2}, "a2616102616201"),
        ("a" * 24, "7818" + "61" * 24),
        ("a" * 256, "790100" + "61" * 256),
    ],
)
def test_what_is_hashed_in_the_third_bucketing_is_deterministic_cbor(value: Any, hexadecimal: str) -> None:
    """Vectors of RFC 8949, appendix A, and of its rules in 4.2.1."""
    if value != 1e20:
        assert encoded(Bucketing.V3, value) == bytes.fromhex(hexadecimal)
    assert cbor2.loads(encoded(Bucketing.V3, value) or b"") == value


def test_a_very_long_text_is_cbor_too() -> None:
    assert cbor2.loads(encoded(Bucketing.V3, "ü" * 70_000) or b"") == "ü" * 70_000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["key"])
def test_the_second_bucketing_draws_what_javascript_draws(case: dict[str, Any]) -> None:
    flag = {
        "state": "ENABLED",
        "variants": {"a": "a", "b": "b", "c": "c", "none": "none"},
        "defaultVariant": "none",
    }
    document = {"flags": {case["key"]: {**flag, "targeting": case["targeting"]}}}
    found = load(json.dumps(document), bucketing="v2").evaluate(case["key"], "string", "", case["context"])
    assert (found.variant, found.reason) == (case["variant"], case["reason"])


def test_the_two_bucketings_do_not_draw_the_same_users() -> None:
    users = [{"targetingKey": f"user-{at}"} for at in range(200)]
    by = {drawing: [said({"fractional": HALVES}, user, drawing) for user in users] for drawing in ("v2", "v3")}
    assert by["v2"] != by["v3"]
    assert all(80 < drawn.count("on") < 120 for drawn in by.values())


@pytest.mark.parametrize("drawing", ["v2", "v3"])
@given(st.text(min_size=1), st.integers(0, 100), st.integers(0, 100))
def test_more_weight_takes_nobody_back(drawing: str, user: str, less: int, more: int) -> None:
    less, more = sorted((less, more))
    first, second = ({"fractional": [["on", share], ["off", 100 - share]]} for share in (less, more))
    if said(first, {"targetingKey": user}, drawing) == "on":
        assert said(second, {"targetingKey": user}, drawing) == "on"


@pytest.mark.parametrize("drawing", ["v2", "v3"])
@given(st.text() | st.integers() | st.none(), st.text() | st.none() | st.floats() | st.lists(st.integers()))
def test_weights_that_are_computed_draw_as_those_that_are_written(drawing: str, user: Any, email: Any) -> None:
    computed = [["on", {"+": [20, 30]}], [{"cat": ["o", "ff"]}, 50]]
    context = {"targetingKey": user, "email": email}
    assert said({"fractional": HALVES}, context, drawing) == said({"fractional": computed}, context, drawing)
    assert said({"fractional": [EMAIL, *HALVES]}, context, drawing) == said(
        {"fractional": [EMAIL, *computed]}, context, drawing
    )


@pytest.mark.parametrize(
    ("share", "found"),
    [
        (["a"], 1),
        (["a", 5], 5),
        (["a", 5.0], 5),
        (["a", -5], 0),
        (["a", 0.5], None),
        (["a", "5"], None),
        (["a", True], None),
        (["a", 1, 2], None),
        ([], None),
        ("a", None),
    ],
)
def test_a_weight_is_a_whole_number(share: Any, found: int | None) -> None:
    assert weight(share) == found


@pytest.mark.parametrize(
    "rule",
    [
        [],
        [["a", 0]],
        [["a", -1], ["b", -1]],
        [["a", MOST], ["b", 1]],
        [["a", "x"]],
        [["a", 1], "b"],
        [["a", 1, 1]],
        ["u"],
    ],
)
def test_what_makes_no_sense_draws_nobody(rule: Any) -> None:
    assert said({"fractional": rule}, {"targetingKey": "u"}) is None
    assert said({"fractional": rule}, {"targetingKey": "u"}, "v2") is None


def test_all_shares_are_given_away() -> None:
    assert said({"fractional": [["a", 1], ["b", MOST - 1]]}, {"targetingKey": "u"}) in ("a", "b")
    assert said({"fractional": [["a", 0], ["b", 1]]}, {"targetingKey": "u"}) == "b"


@pytest.mark.parametrize("user", [None, "", 5, "\ud800"])
def test_nobody_is_drawn_who_has_no_name(user: Any) -> None:
    for drawing in ("v2", "v3"):
        for halves in (HALVES, [["on", {"+": 50}], ["off", 50]]):
            assert said({"fractional": halves}, {"targetingKey": user}, drawing) is None
            assert said({"map": [[5], {"fractional": halves}]}, {"targetingKey": "u"}, drawing) == [None]


def test_the_second_bucketing_draws_by_the_targeting_key_where_nothing_is_drawn_by() -> None:
    """As flagd's daemon does; the third one draws nobody then."""
    user = {"targetingKey": "u"}
    assert said({"fractional": [EMAIL, *HALVES]}, user, "v2") == said({"fractional": HALVES}, user, "v2")
    assert said({"fractional": [EMAIL, *HALVES]}, user, "v3") is None
    assert said({"fractional": [EMAIL, *HALVES]}, {**user, "email": 5}, "v2") is None
    assert said({"fractional": [EMAIL, *HALVES]}, {**user, "email": "\ud800"}, "v2") is None


@pytest.mark.parametrize("value", [5, 5.5, True, {"a": [1.0]}, ""])
def test_the_third_bucketing_draws_by_anything(value: Any) -> None:
    assert said({"fractional": [EMAIL, *HALVES]}, {"email": value}) in ("on", "off")


def test_the_third_bucketing_draws_by_nothing_that_has_no_bytes() -> None:
    deep: list[Any] = []
    for _ in range(50):
        deep = [deep]
    for value in ({"a": deep}, {"a": object()}, {"a": "\ud800"}, "\ud800"):
        assert said({"fractional": [EMAIL, *HALVES]}, {"email": value}) is None
    assert said({"fractional": [EMAIL, *HALVES]}, {"email": [["x", 1]]}) is None


def test_a_list_that_is_computed_is_a_share() -> None:
    found = said({"fractional": [{"var": "first"}, ["b", 1]]}, {"first": ["a", 0], "targetingKey": "u"})
    assert found == "b"
