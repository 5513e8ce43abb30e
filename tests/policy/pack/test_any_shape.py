"""Whatever stands in an object, no rule ends in an error: what is of another type counts as absent."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.policy.pack.asking import CASES, policies

from davy.policy import pack
from davy.policy.engine import Point
from davy.policy.inventory import Inventory
from davy.policy.review import Review

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 200),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
    st.sampled_from(["", "0", "-1", "100%", "1e3", "*", "{{args.x}}", "true", "x" * 300]),
    st.sampled_from([[], [None], [[]], {}, {"": None}, [{"setWeight": "5"}], {"duration": []}]),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path into a value."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def with_junk(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    made = deepcopy(value)
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = deepcopy(junk)
    return made


@settings(deadline=None)  # the first compiles
@given(st.sampled_from([example for _, example in CASES]), st.data())
def test_nothing_in_an_object_breaks_a_rule(example: pack.Example, data: st.DataObject) -> None:
    review = damaged(example.review, data)
    inventory = Inventory(
        [
            with_junk(found, data.draw(st.sampled_from(list(places(found)))), data.draw(JUNK))
            for found in example.inventory
        ]
    )
    said = policies({}).judge(review, inventory, Point.ADMISSION)
    assert not [violation.message for violation in said if violation.broken]


def damaged(review: Review, data: st.DataObject) -> Review:
    """A review with junk somewhere in its objects; what it is stays."""
    for name in ("object", "old_object"):
        found = getattr(review, name)
        if found is None:
            continue
        for _ in range(data.draw(st.integers(1, 3))):
            path = data.draw(
                st.sampled_from([path for path in places(found) if path[0] not in ("kind", "apiVersion")])
            )
            found = with_junk(found, path, data.draw(JUNK))
        review = replace(review, **{name: found})
    return review
