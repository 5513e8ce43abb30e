"""Promises of Rego's values: one total order, booleans that are no numbers, keys that come back."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.policy.rego.values import (
    UNDEFINED,
    CompositeKey,
    RegoSet,
    Value,
    compare,
    equal,
    json_text,
    key_of,
    number_of,
    number_text,
    quote,
    sort,
    sorted_keys,
    to_json,
    to_text,
    type_name,
    value_of,
)

NUMBERS = st.integers(-3, 3) | st.floats(-3, 3, allow_nan=False).map(lambda found: found + 0.0)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text('abé\n"<\u2028', max_size=3)


def collections(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    pairs = st.lists(st.tuples(inner, inner), max_size=3)
    return (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(RegoSet)
        | pairs.map(lambda found: {key_of(key): value for key, value in found})
    )


VALUES = st.recursive(SCALARS, collections, max_leaves=8)
SETS = st.lists(VALUES, max_size=4).map(RegoSet)


@given(VALUES, VALUES, VALUES)
def test_the_order_is_total(one: Value, two: Value, three: Value) -> None:
    assert compare(one, two) == -compare(two, one)
    assert (compare(one, two) == 0) is equal(one, two)
    if compare(one, two) <= 0 and compare(two, three) <= 0:
        assert compare(one, three) <= 0


@given(st.lists(VALUES, max_size=5))
def test_sorting_goes_by_the_order(values: list[Value]) -> None:
    found = sort(values)
    assert all(compare(one, two) <= 0 for one, two in pairwise(found))


@given(VALUES, VALUES)
def test_keys_are_the_same_where_values_are(one: Value, two: Value) -> None:
    assert (key_of(one) == key_of(two)) is equal(one, two)
    assert equal(value_of(key_of(one)), one)
    assert equal(one, two) <= (hash(key_of(one)) == hash(key_of(two)))


@given(SETS, SETS, VALUES)
def test_sets_are_sets(one: RegoSet, two: RegoSet, value: Value) -> None:
    assert (value in one.union(two)) is (value in one or value in two)
    assert (value in one.intersection(two)) is (value in one and value in two)
    assert (value in one.difference(two)) is (value in one and value not in two)
    assert one.difference(two).union(one.intersection(two)) == one
    assert one.intersection(two).issubset(one)
    assert list(one) == sort(one)
    grown = RegoSet(one)
    assert list(grown) == list(one)
    grown.add(value)
    assert value in grown
    assert one.issubset(grown)
    assert len(list(grown)) == len(grown)


@given(VALUES)
def test_json_says_what_json_can_hold(value: Value) -> None:
    assert json.loads(json_text(value)) == to_json(value)
    assert not set("<>&\u2028") & set(json_text(value))


PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
def test_the_text_of_a_plain_value_is_json(value: Value) -> None:
    assert equal(json.loads(to_text(value)), value)
    assert equal(to_json(value), value)


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (None, "null"),
        (True, "true"),
        (1.0, "1.0"),
        (1e-7, "1e-07"),
        (-1.25e-05, "-1.25e-05"),
        (0.000125, "0.000125"),
        (1234567.5, "1.2345675e+06"),
        (999999.0, "999999.0"),
        ([1e6, -1.00066e9, 1e21], "[1e+06, -1.00066e+09, 1e+21]"),
        (RegoSet(), "set()"),
        (RegoSet([3, "a", 1]), '{1, 3, "a"}'),
        ({key_of(1): 2, "a": {}, key_of(None): [], key_of(True): "b"}, '{null: [], true: "b", 1: 2, "a": {}}'),
        ('q"\n\u2028é\x01\U000e0001', '"q\\"\\n\\u2028é\\x01\\U000e0001"'),
    ],
)
def test_values_are_printed_as_opa_prints_them(value: Value, printed: str) -> None:
    assert to_text(value) == printed


def test_true_is_not_one() -> None:
    assert not equal(True, 1)
    assert not equal({"a": [1]}, {"a": [True]})
    assert len(RegoSet([True, 1, 1.0, "1"])) == 3
    assert RegoSet([1]) != RegoSet([True])
    assert RegoSet([1.0]).get(1) == 1.0
    assert RegoSet().get(1) is UNDEFINED
    assert key_of(True) != key_of("True")


def test_keys_of_json_are_texts() -> None:
    found = {key_of(1): 1, key_of(RegoSet([2])): 2, "1": 3}
    assert to_json(found) == {"1": 3, "[2]": 2}
    assert sorted_keys({"b": 1, "a": 2}) == ["a", "b"]


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("12", 12),
        ("-0", 0),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("1e400", 10**400),
        ("-1.5E400", -15 * 10**399),
        ("1" + "0" * 400 + ".5", None),
        ("1e99999", None),
        ("1e999999999999", None),
        ("9" * 5000, None),
        ("01", None),
        ("+1", None),
        ("0x1", None),
        ("NaN", None),
    ],
)
def test_numbers_are_read_as_json_writes_them(written: str, number: Any) -> None:
    found = number_of(written)
    assert found == number
    assert type(found) is type(number)


def test_numbers_are_printed_as_json_writes_them() -> None:
    assert number_text(10**30) == "1" + "0" * 30
    assert number_text(1.5) == "1.5"


def test_what_is_undefined_is_no_value() -> None:
    assert not UNDEFINED
    assert repr(UNDEFINED) == "UNDEFINED"
    assert repr(RegoSet([1])) == "RegoSet({1})"
    assert repr(CompositeKey([1])) == "CompositeKey([1])"
    assert type_name(RegoSet()) == "set"
    assert quote("a") == '"a"'
    with pytest.raises(TypeError):
        hash(RegoSet())


def test_json_writes_numbers_as_go_does() -> None:
    value = {"a": [1e6, 2.5, 1], "b\ue000": "\ue0001e+06\ue000", "c": 1.5e-7}
    assert json_text(value) == '{"a":[1e+06,2.5,1],"b\ue000":"\ue0001e+06\ue000","c":1.5e-07}'
    assert json_text([2.5, None], indent="  ") == "[\n  2.5,\n  null\n]"
