"""One spelling: what RFC 8785 says, whichever of two programs writes it."""

import math
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from davy.ledger.canonical import LARGE, LARGEST, SMALL, canonical, is_plain

PLAIN = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | st.text()
JSON = st.recursive(
    PLAIN | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
@example({"\U0001f600": 1, "\ufffd": 2})  # sorted by UTF-16, not by code points
@example({"a": 1e21, "b": -0.0, "c": 5e-324, "d": 100.0})
def test_it_is_spelt_as_the_rfc_says(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.floats(SMALL, LARGE) | st.floats(-LARGE, -SMALL) | st.integers(-(10**16), 10**16).map(float))
@example(SMALL)
@example(LARGE - 0.125)
@example(80.0)
@example(-0.0)
def test_ordinary_numbers_are_spelt_as_the_rfc_says(number: float) -> None:
    assert canonical({"seconds": number}) == rfc8785.dumps({"seconds": number})


@given(JSON)
def test_reading_it_back_spells_it_alike(value: Any) -> None:
    spelt = canonical(value)
    read = msgspec.json.decode(spelt)
    if is_plain(read):
        assert canonical(read) == spelt


def test_the_sample_of_the_rfc() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert canonical(value) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_what_json_has_no_word_for_is_spelt_as_nearly_as_can_be() -> None:
    class Point(msgspec.Struct):
        x: float
        y: int

    assert canonical([math.nan, math.inf, 2**53, -(2**60), 1.5]) == (
        b'[null,null,"9007199254740992","-1152921504606846976",1.5]'
    )
    assert canonical({"point": Point(1.0, True), 3: (1.5,)}) == b'{"3":[1.5],"point":{"x":1,"y":true}}'


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        canonical({"x": object()})
    with pytest.raises(UnicodeEncodeError):
        canonical({"x": "\ud800"})
    with pytest.raises(UnicodeEncodeError):
        canonical({"é": "\ud800"})
