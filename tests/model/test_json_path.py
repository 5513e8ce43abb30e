"""JSONPath as kubectl and Argo Rollouts have it."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.model.json_path import BadPath, NotFound, find, read

STORE: Any = {
    "book": [
        {"category": "reference", "author": "Nigel Rees", "price": 8.95, "old": True},
        {"category": "fiction", "author": "Evelyn Waugh", "price": 12.99},
        {"category": "fiction", "author": "Herman Melville", "isbn": "0-553", "price": 8.99, "none": None},
    ],
    "bicycle": {"color": "red", "price": 19.95},
    "a.b": {"c d": 1.0},
    "empty": [],
    "limit": 10.0,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("{$}", [STORE]),
        ("{.}", [STORE]),
        ("{}", None),
        (" { $.bicycle.color } ", ["red"]),
        ("{.bicycle.color}", ["red"]),
        ("{bicycle.color}", ["red"]),
        ("{$['bicycle']['color']}", ["red"]),
        ('{$["bicycle"].color}', ["red"]),
        (r"{.a\.b['c d']}", [1.0]),
        ("{['a.b']['c d']}", [1.0]),
        ("{.book[0].author}", ["Nigel Rees"]),
        ("{.book[-1].author}", ["Herman Melville"]),
        ("{.book[0:2].author}", ["Nigel Rees", "Evelyn Waugh"]),
        ("{.book[:1].author}", ["Nigel Rees"]),
        ("{.book[1:].author}", ["Evelyn Waugh", "Herman Melville"]),
        ("{.book[::2].author}", ["Nigel Rees", "Herman Melville"]),
        ("{.book[0,2].author}", ["Nigel Rees", "Herman Melville"]),
        ("{.book[ 0 , -1 ].author}", ["Nigel Rees", "Herman Melville"]),
        ("{.bicycle['price','color']}", [19.95, "red"]),
        ("{.book[*].price}", [8.95, 12.99, 8.99]),
        ("{.bicycle.*}", ["red", 19.95]),
        ("{.limit.*}", []),
        ("{.book[*].isbn}", ["0-553"]),
        ("{..price}", [19.95, 8.95, 12.99, 8.99]),
        ("{..[0].price}", None),
        ("{..book[0].price}", [8.95]),
        ("{.book[2].none}", [None]),
        ("{.book[?(@.isbn)].author}", ["Herman Melville"]),
        ('{.book[?(@.category=="fiction")].price}', [12.99, 8.99]),
        ("{.book[?(@.category != 'fiction')].price}", [8.95]),
        ("{.book[?(@.price<9)].price}", [8.95, 8.99]),
        ("{.book[?(@.price <= 8.95)].price}", [8.95]),
        ("{.book[?(@.price > 12)].price}", [12.99]),
        ("{.book[?(@.price>=12.99 )].price}", [12.99]),
        ("{.book[?(@.old==true)].price}", [8.95]),
        ("{.book[?(@.old==false)].price}", []),
        ("{.book[?(@.author==@.author)].price}", [8.95, 12.99, 8.99]),
        ("{.book[?(@['price'] == -1)].price}", []),
        ("{.empty[*]}", []),
        ("{.empty[?(@.a)]}", []),
    ],
)
def test_a_path_leads_to_what_is_there(path: str, found: list[Any] | None) -> None:
    if found is None:
        with pytest.raises((BadPath, NotFound)):
            find(read(path), STORE)
    else:
        assert find(read(path), STORE) == found


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("{.nope}", "nope is not found"),
        ("{.bicycle.nope.deeper}", "nope is not found"),
        ("{.limit.x}", "x is not found"),
        ("{.book[3]}", "array index out of bounds: index 3, length 3"),
        ("{.book[-4]}", "array index out of bounds: index -4, length 3"),
        ("{.bicycle[0]}", "is not array or slice"),
        ("{.bicycle[0:1]}", "is not array or slice"),
        ("{.bicycle[?(@.a)]}", "is not array or slice"),
        ("{.book[?(@.price=='8')]}", "compares two texts, two numbers"),
        ("{.book[?(@==@)]}", "compares two texts, two numbers"),
        ("{.book[?(@.old<true)]}", "orders texts and numbers only"),
        ("{.book[?(@.*=='a')]}", "one element at a time"),
    ],
)
def test_a_path_that_leads_nowhere_says_so(path: str, message: str) -> None:
    with pytest.raises(NotFound, match=message):
        find(read(path), STORE)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "$.a",
        "{.a",
        "{.a}{.b}",
        "x{.a}",
        "{range .a}{end}",
        "{.a[}",
        "{.a[]}",
        "{.a['b'}",
        "{.a[?(.b)]}",
        "{.a[?(@.b == )]}",
        "{.a[?(@.b]}",
        "{.a[0:1:0]}",
        "{.a[0:1:-1]}",
        "{.a..}",
        "{.a b}",
        "{.a | .b}",
        "{'text'}",
        "{.a" + "b" * 2000 + "}",
    ],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(
        BadPath, match=r"one expression in braces|nothing that is understood|too early|greater than"
    ):
        read(path)


values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text("ab", max_size=2), below, max_size=3),
)


@given(st.text("{}$@.[]()?*:,'\"=!<>ab01- \\", max_size=30), values)
def test_whatever_is_written_ends_in_values_or_in_an_error_of_ours(text: str, value: Any) -> None:
    for path in (text, f"{{{text}}}"):
        with suppress(BadPath, NotFound):
            assert isinstance(find(read(path), value), list)
