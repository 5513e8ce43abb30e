"""The JSONPath of kubectl and Argo Rollouts (`k8s.io/client-go/util/jsonpath`), as far as a metric needs it.

One expression in braces: `{$}`, `{.a.b}`, `{.a['b']}`, `{.a[0]}`, `{.a[-1]}`, `{.a[0:3:2]}`, `{.a[*]}`,
`{.a.*}`, `{..name}`, unions `{['a','b']}` and `{[0,2]}`, and filters `{.a[?(@.b == "c")].d}`. Texts around the
braces, `range` and functions, which make a text of several values, are refused.
"""

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, assert_never


class BadPath(Exception):
    """A path that cannot be read; the message says where it stops making sense."""


class NotFound(Exception):
    """The path leads nowhere in this value."""


@dataclass(frozen=True, slots=True)
class Field:
    """A member of an object, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Every:
    """All elements of a list or all members of an object."""


@dataclass(frozen=True, slots=True)
class Below:
    """A value and everything below it, at any depth."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Elements of a list from, to and by; one index is a slice that `only` that element may fill."""

    start: int | None
    end: int | None
    step: int
    only: bool = False


@dataclass(frozen=True, slots=True)
class Union:
    """Several fields or elements, one after the other."""

    parts: tuple["Field | Slice", ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """The elements of a list for which a comparison holds, or in which something is there."""

    left: "tuple[Step, ...]"
    compare: str
    right: "tuple[Step, ...] | Literal"


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in a filter."""

    value: Any


Step = Field | Every | Below | Slice | Union | Filter

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_NAME = re.compile(r"(?:\\.|[^\s.\[\]{}()'\"\\*?@$,:|=<>!])+")
_QUOTED = re.compile(r"'((?:\\.|[^'\\])*)'|\"((?:\\.|[^\"\\])*)\"")
_SLICE = re.compile(r"\s*(-?\d+)?\s*(?:(:)\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?)?")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_OPERATOR = re.compile(r"\s*(==|!=|<=|>=|<|>)\s*")
_LONGEST = 1024


def read(text: str) -> tuple[Step, ...]:
    """Read a path in braces.

    Raises:
        BadPath: it is none, or one of those that make a text of several values.
    """
    whole = text.strip()
    if not (whole.startswith("{") and whole.endswith("}")) or len(whole) > _LONGEST:
        raise BadPath("a path is one expression in braces, e.g. {$.data.value}")
    reader = _Reader(whole[1:-1].strip())
    steps = reader.path(root="$")
    reader.expect_end()
    return steps


def find(steps: tuple[Step, ...], value: Any) -> list[Any]:
    """Return everything that a path leads to, in order.

    Raises:
        NotFound: it leads nowhere, in the words of the original where it has some.
    """
    found = [value]
    for step in steps:
        found = list(_take(step, found))
    return found


def _take(step: Step, values: list[Any]) -> Iterator[Any]:
    match step:
        case Field(name):
            below = [value[name] for value in values if isinstance(value, dict) and name in value]
            if values and not below:
                raise NotFound(f"{name} is not found")
            yield from below
        case Every():
            for value in values:
                yield from _members(value)
        case Below():
            for value in values:
                yield from _below(value)
        case Slice():
            for value in values:
                yield from _sliced(step, value)
        case Union(parts):
            for part in parts:
                yield from _take(part, values)
        case Filter():
            for value in values:
                yield from (each for each in _elements(value) if _holds(step, each))
        case _:
            assert_never(step)


def _members(value: Any) -> list[Any]:
    """List what is in a value; of an object in the order of its names, so that the first is always the same."""
    match value:
        case list():
            return value
        case dict():
            return [value[name] for name in sorted(value)]
        case _:
            return []


def _below(value: Any) -> Iterator[Any]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        yield each
        waiting += reversed(_members(each))


def _elements(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise NotFound("what is there is not array or slice")
    return value


def _sliced(part: Slice, value: Any) -> list[Any]:
    elements = _elements(value)
    if part.only:
        assert part.start is not None
        index = part.start + len(elements) if part.start < 0 else part.start
        if not 0 <= index < len(elements):
            raise NotFound(f"array index out of bounds: index {part.start}, length {len(elements)}")
        return [elements[index]]
    return elements[part.start : part.end : part.step]


def _holds(filter_: Filter, value: Any) -> bool:
    left = _maybe(filter_.left, value)
    if not filter_.compare:
        return bool(left)
    right = [filter_.right.value] if isinstance(filter_.right, Literal) else _maybe(filter_.right, value)
    if not left or not right:
        return False
    if len(left) > 1 or len(right) > 1:
        raise NotFound("can only compare one element at a time")
    if type(left[0]) is not type(right[0]) or not isinstance(left[0], str | float | bool | None):
        raise NotFound("a filter compares two texts, two numbers or two truth values")
    if isinstance(left[0], bool | None) and filter_.compare not in ("==", "!="):
        raise NotFound("a filter orders texts and numbers only")
    return _COMPARISONS[filter_.compare](left[0], right[0])


def _maybe(steps: tuple[Step, ...], value: Any) -> list[Any]:
    try:
        return find(steps, value)
    except NotFound:
        return []


class _Reader:
    """Reads a path from left to right."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def path(self, *, root: str) -> tuple[Step, ...]:
        """Read steps for as long as there are some; `root` is what it may begin with."""
        steps: list[Step] = []
        if self._skip(root):
            pass
        elif self._peek() not in (".", "["):
            steps.append(Field(self._name()))  # `{name}` is `{.name}`
        while self._peek() in (".", "["):
            steps += self._steps()
        return tuple(steps)

    def expect_end(self) -> None:
        """Refuse what cannot be read as a step."""
        if self._at < len(self._text):
            raise self._bad()

    def _steps(self) -> list[Step]:
        if self._skip("["):
            return [self._brackets()]
        deep = self._skip("..")
        if not deep:
            self._skip(".")
        before: list[Step] = [Below()] if deep else []
        if self._skip("*"):
            return [*before, Every()]
        if self._peek() == "[":
            return before
        if not deep and self._at == len(self._text):
            return []  # `{.}` is the whole
        return [*before, Field(self._name())]

    def _brackets(self) -> Step:
        if self._skip("?("):
            found: Step = self._filter()
            self._expect(")")
        elif self._skip("*"):
            found = Every()
        else:
            parts = [self._part()]
            while self._skip(","):
                parts.append(self._part())
            found = parts[0] if len(parts) == 1 else Union(tuple(parts))
        self._expect("]")
        return found

    def _part(self) -> Field | Slice:
        self._blanks()
        if quoted := self._match(_QUOTED):
            self._blanks()
            return Field(_unescaped(quoted[1] if quoted[1] is not None else quoted[2]))
        found = self._match(_SLICE)
        assert found is not None, "it may be empty"
        start, colon, end, step = found.groups()
        if start is None and colon is None:
            raise self._bad()
        if colon is None:
            return Slice(int(start), None, 1, only=True)
        if step is not None and int(step) <= 0:
            raise BadPath("the step of a slice is greater than 0")
        first, last = (None if text is None else int(text) for text in (start, end))
        return Slice(first, last, 1 if step is None else int(step))

    def _filter(self) -> Filter:
        self._blanks()
        left = self._filter_path()
        compare = self._match(_OPERATOR)
        if compare is None:
            self._blanks()
            return Filter(left, "", Literal(None))
        right = self._literal() or self._filter_path()
        self._blanks()
        return Filter(left, compare[1], right)

    def _filter_path(self) -> tuple[Step, ...]:
        if self._peek() != "@":
            raise self._bad()
        return self.path(root="@")

    def _literal(self) -> Literal | None:
        if quoted := self._match(_QUOTED):
            return Literal(_unescaped(quoted[1] if quoted[1] is not None else quoted[2]))
        if number := self._match(_NUMBER):
            return Literal(float(number[0]))
        for word, value in (("true", True), ("false", False)):
            if self._skip(word):
                return Literal(value)
        return None

    def _name(self) -> str:
        found = self._match(_NAME)
        if found is None:
            raise self._bad()
        return _unescaped(found[0])

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            raise self._bad()

    def _blanks(self) -> None:
        while self._peek() in (" ", "\t"):
            self._at += 1

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _bad(self) -> BadPath:
        rest = self._text[self._at : self._at + 20]
        return BadPath(f"nothing that is understood at {rest!r}" if rest else "it ends too early")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
