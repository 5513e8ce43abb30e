"""Rego's values as plain Python, with Rego's order and equality, which are not Python's.

`None`, `bool`, `int`, `float`, `str`, `list`, `dict` as `json` gives them, and `RegoSet`. Two traps are closed
here: to Python `True == 1`, to Rego they differ; and keys of an object may be any value, which `key_of` makes
hashable and `value_of` gives back.

OPA keeps the text of a number. Here whole numbers are `int` of any size, others `float`: `1.50` is printed as
`1.5`, `1e3` as `1000.0` and `1e6` as `1e+06` where OPA prints a number that nobody computed with letter by
letter.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from davy.policy.rego.budget import LARGEST_COLLECTION, LARGEST_NUMBER, BudgetExceeded
from davy.policy.rego.floats import float_text

Value: TypeAlias = Any
"""One of Rego's values; the checks are at run time, as Rego's own are."""

Key: TypeAlias = "str | int | float | CompositeKey"
"""What stands in a `dict` for a key of an object."""


class Undefined:
    """The type of `UNDEFINED`: no value at all. It is false, so that it may be asked like a condition."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()


class CompositeKey:
    """A key that Python cannot hash or takes for another (`True` for `1`), with the value it stands for."""

    __slots__ = ("_frozen", "_hash", "value")

    def __init__(self, value: Value) -> None:
        self.value = value
        self._frozen = _freeze(measured(value))
        self._hash = hash(self._frozen)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return type(other) is CompositeKey and self._frozen == other._frozen

    def __repr__(self) -> str:
        return f"CompositeKey({to_text(self.value)})"


def measured(value: Value) -> Value:
    """Let a value through that is not too large once all that it shares is written out.

    Sixty lines of `x2 := [x1, x1]` take no memory, and more than there is as soon as somebody prints or
    compares them.

    Raises:
        BudgetExceeded: it is too large.
    """
    if type(value) not in _NESTED:
        return value
    pending, count = [value], 0
    while pending:
        here = pending.pop()
        kind = type(here)
        children = here if kind is list else here.values() if kind is dict else here.elements()
        count += len(children)
        if count > LARGEST_COLLECTION:
            raise BudgetExceeded(f"a value has more than {LARGEST_COLLECTION} parts")
        pending += [child for child in children if type(child) in _NESTED]
    return value


def _freeze(value: Value) -> tuple[Any, ...]:
    kind = type(value)
    if kind is dict:
        pairs = [(key, found if type(found) is str else _frozen_part(found)) for key, found in value.items()]
        return ("object", frozenset(pairs))
    if kind is list:
        return ("array", *map(_frozen_part, value))
    if kind is RegoSet:
        return ("set", frozenset(value.keys()))
    return ("scalar", str(value))


def key_of(value: Value) -> Key:
    """Make what stands for a value as a key of a `dict`; numbers do so themselves, `1` and `1.0` alike."""
    kind = type(value)
    if kind is str or kind is int or kind is float:
        return value  # type: ignore[no-any-return]
    return CompositeKey(value)


def _frozen_part(value: Value) -> Any:
    """Make what stands for a part of a value that was measured already."""
    kind = type(value)
    return value if kind is str or kind is int or kind is float else _freeze(value)


def value_of(key: Key) -> Value:
    """Give back the value that a key of a `dict` stands for."""
    return key.value if type(key) is CompositeKey else key


class RegoSet:
    """A set of any values. Iterating it goes in Rego's order, which is found out when somebody first asks."""

    __slots__ = ("_found", "_sorted")

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Iterable[Value] = ()) -> None:
        self._found: dict[Key, Value] = {}
        self._sorted: list[Value] | None = None
        for value in values:
            self._found.setdefault(key_of(value), value)

    def add(self, value: Value) -> None:
        """Put a value in; for whoever builds the set, before anybody else has seen it."""
        self._found.setdefault(key_of(value), value)
        self._sorted = None

    def keys(self) -> Iterable[Key]:
        """What stands for the values, in no order."""
        return self._found.keys()

    def elements(self) -> Collection[Value]:
        """The values, in no order."""
        return self._found.values()

    def get(self, value: Value) -> Value:
        """The value as it was put in (`1.0` where `1` is asked for), `UNDEFINED` where it is not in the set."""
        return self._found.get(key_of(value), UNDEFINED)

    def union(self, other: "RegoSet") -> "RegoSet":
        """What is in one or the other."""
        return self._made({**other._found, **self._found})

    def intersection(self, other: "RegoSet") -> "RegoSet":
        """What is in both."""
        return self._made({key: value for key, value in self._found.items() if key in other._found})

    def difference(self, other: "RegoSet") -> "RegoSet":
        """What is in this one only."""
        return self._made({key: value for key, value in self._found.items() if key not in other._found})

    def issubset(self, other: "RegoSet") -> bool:
        """Whether all of it is in the other."""
        return self._found.keys() <= other._found.keys()

    @staticmethod
    def _made(found: dict[Key, Value]) -> "RegoSet":
        made = RegoSet()
        made._found = found
        return made

    def __contains__(self, value: Value) -> bool:
        return key_of(value) in self._found

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Value]:
        if self._sorted is None:
            self._sorted = sort(self._found.values())
        return iter(self._sorted)

    def __eq__(self, other: object) -> bool:
        return type(other) is RegoSet and self._found.keys() == other._found.keys()

    def __repr__(self) -> str:
        return f"RegoSet({to_text(self)})"


_NESTED: Final = frozenset({list, dict, RegoSet})

_RANKS: Final[Mapping[type, int]] = {
    type(None): 0,
    bool: 1,
    int: 2,
    float: 2,
    str: 3,
    list: 4,
    dict: 5,
    RegoSet: 6,
}

_NAMES: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    RegoSet: "set",
}


def type_name(value: Value) -> str:
    """Name the type as Rego does: `null`, `boolean`, `number`, `string`, `array`, `object`, `set`."""
    return _NAMES[type(value)]


def equal(left: Value, right: Value) -> bool:
    """Whether two values are the same to Rego: `1 == 1.0`, and never `1 == true`."""
    if left is right:
        return True
    kind = type(left)
    if kind is list or kind is dict:
        if type(right) is not kind or len(left) != len(right):
            return False
        measured(left)
        measured(right)
    return _same(left, right)


def _same(left: Value, right: Value) -> bool:
    if left != right:
        return False
    kind = type(left)
    if kind is list:
        return all(map(_same, left, right))
    if kind is dict:
        return all(_same(value, right[key]) for key, value in left.items())
    return (kind is bool) is (type(right) is bool)


def compare(left: Value, right: Value) -> int:
    """Say -1, 0 or 1 in Rego's total order: null, booleans, numbers, strings, arrays, objects, sets."""
    kind = type(left)
    if kind is not type(right) or kind is list or kind is dict or kind is RegoSet:
        left, right = sort_key(measured(left)), sort_key(measured(right))
    elif left is None:
        return 0
    return int(left > right) - int(left < right)


def sort_key(value: Value) -> tuple[Any, ...]:
    """Make what Python orders as Rego orders the values."""
    kind = type(value)
    if kind is str:
        return (3, value)
    if kind is list or kind is RegoSet:
        return (_RANKS[kind], *map(sort_key, value))
    if kind is dict:
        return (5, *((sort_key(value_of(key)), sort_key(value[key])) for key in sorted_keys(value)))
    return (0,) if value is None else (_RANKS[kind], value)


def sort(values: Iterable[Value]) -> list[Value]:
    """Sort values as Rego does."""
    found = list(values)
    if len(found) > 1:
        if all(type(value) is str for value in found):
            found.sort()
        else:
            measured(found)
            found.sort(key=sort_key)
    return found


def sorted_keys(found: Mapping[Key, Value]) -> list[Key]:
    """List what stands for the keys of an object, in the order of the keys."""
    try:
        return sorted(found)  # type: ignore[type-var]
    except TypeError:
        return sorted(found, key=lambda key: sort_key(value_of(key)))


_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE]([+-]?[0-9]+))?")


def number_of(text: str) -> int | float | None:
    """Read a number as JSON and Rego write it; None where it is none, or one that nobody could compute with."""
    if _WHOLE.fullmatch(text):
        return int(text) if len(text) <= LARGEST_NUMBER else None
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    value = float(text)
    if value not in (float("inf"), float("-inf")):
        return value
    mantissa, exponent = text.lower().split("e") if found[1] else (text, "0")
    whole, _, fraction = mantissa.partition(".")
    zeros = int(exponent) - len(fraction) if len(exponent) < 8 else LARGEST_NUMBER + 1
    if not 0 <= zeros <= LARGEST_NUMBER:
        return None
    return int(f"{whole}{fraction}{'0' * zeros}")


def number_text(value: int | float) -> str:
    """Print a number."""
    return float_text(value) if type(value) is float else str(value)


_ESCAPES: Final = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}


def quote(text: str) -> str:
    """Write a text with quotes as Go's `strconv.Quote` does."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(map(_escape, text))}"'


def _escape(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def to_text(value: Value) -> str:
    """Print a value as OPA's `String()`: `{"a": [1, true]}`, `{1, 2}`, `set()`, and a text with its quotes."""
    return _text(measured(value))


def _text(value: Value) -> str:
    match value:
        case str():
            return quote(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return number_text(value)
        case list():
            return f"[{', '.join(map(_text, value))}]"
        case dict():
            pairs = (f"{_text(value_of(key))}: {_text(value[key])}" for key in sorted_keys(value))
            return f"{{{', '.join(pairs)}}}"
        case _:
            return f"{{{', '.join(map(_text, value))}}}" if value else "set()"


def to_json(value: Value) -> Value:
    """Make of a value what JSON can hold: sets become sorted lists, other keys than texts become texts."""
    return _json(measured(value))


def _json(value: Value) -> Value:
    match value:
        case list() | RegoSet():
            return [_json(found) for found in value]
        case dict():
            keys = value if all(type(key) is str for key in value) else sorted_keys(value)
            return {key if type(key) is str else json_text(value_of(key)): _json(value[key]) for key in keys}
        case _:
            return value


_UNSAFE: Final = re.compile("[<>&\u2028\u2029]")


def json_text(value: Value, *, separators: tuple[str, str] = (",", ":"), indent: str | None = None) -> str:
    """Write a value as Go's `encoding/json` does: keys sorted, nothing that HTML could take for its own."""
    from json import dumps

    def written(found: Value) -> str:
        return dumps(found, ensure_ascii=False, sort_keys=True, separators=separators, indent=indent)

    found = to_json(value)
    text = written(found)
    numbers = [each for each in _floats(found) if repr(each) != float_text(each)]
    if numbers:
        # The standard library writes a float in one way only: a text with a mark stands for it meanwhile, and
        # the mark is in no other.
        mark = "\ue000"
        while mark in text:
            mark += "\ue000"
        text = written(_marked(found, mark)).replace(f'"{mark}', "").replace(f'{mark}"', "")
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _floats(value: Value) -> Iterator[float]:
    match value:
        case float():
            yield value
        case list():
            for found in value:
                yield from _floats(found)
        case dict():
            for found in value.values():
                yield from _floats(found)
        case _:
            pass


def _marked(value: Value, mark: str) -> Value:
    match value:
        case float():
            return f"{mark}{float_text(value)}{mark}"
        case list():
            return [_marked(found, mark) for found in value]
        case dict():
            return {key: _marked(found, mark) for key, found in value.items()}
        case _:
            return value
