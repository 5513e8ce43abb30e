"""What the operators of JsonLogic and of flagd do with values; the compiler writes calls of these.

What makes no sense is null, NaN or false, as in the reference implementations; nothing raises but a rule that
says nothing, or takes too long or too much: whoever sends a context must not be able to keep a server busy.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any, TypeVar

from davy.flags.targeting.values import NAN, joined, less, less_equal, number, strictly_equal, text, truthy

MOST_STEPS = 100_000
"""Items that one evaluation looks at, and values that it makes of them; texts count by pieces."""

LONGEST = 2**20
"""Characters of a text, and items of a list, that are put together."""

_PIECE = 64
"""Characters that count as one value."""


class RuleError(Exception):
    """A rule was reached that says nothing, or it takes too much.

    It says nothing with an unknown operator, or with a shared rule that is not there.
    """


class Steps:
    """What one evaluation may still do."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def take(self, count: int) -> None:
        """Do so much of it.

        Raises:
            RuleError: that is more than it may.
        """
        self._left -= count
        if self._left < 0:
            raise RuleError(f"it takes more than {MOST_STEPS:,} steps")

    def made(self, value: Any) -> Any:
        """Return a value that was made, and count all that is in it."""
        waiting = [value]
        while waiting:
            each = waiting.pop()
            if isinstance(each, list | tuple):
                self.take(len(each) + 1)
                waiting += each
            else:
                self.take(1 + (len(each) // _PIECE if isinstance(each, str) else 0))
        return value


Part = TypeVar("Part", bound=Sized)

Rule = Callable[[Any, Steps], Any]
"""What is done with each item of a list."""


def counted(rule: Rule) -> Callable[[Any], Any]:
    """Return a rule whose steps are counted, anew for each context."""
    return lambda context: rule(context, Steps())


def unknown(name: str) -> Any:
    """Stand where an operator is that nobody knows.

    Raises:
        RuleError: always.
    """
    if name == "$ref":
        raise RuleError("it refers to a shared rule that is not in `$evaluators`, or from within one")
    raise RuleError(f"there is no operator `{name}`")


def reach(data: Any, steps: Sequence[str], default: Any = None) -> Any:
    """Go down a path of names and indexes; null on the way, and at the end, is the default."""
    for step in steps:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list | tuple | str):
            data = _item(data, step)
        else:
            return default
    return default if data is None else data


def variable(data: Any, name: Any, default: Any = None) -> Any:
    """Look up `var` where its name is computed."""
    return data if name is None or name == "" else reach(data, text(name).split("."), default)


def missing(data: Any, *names: Any) -> list[Any]:
    """Name the attributes that are not there, or are empty."""
    wanted = names[0] if names and isinstance(names[0], list | tuple) else names
    return [name for name in wanted if variable(data, name) in (None, "")]


def missing_some(data: Any, needed: Any, names: Any) -> list[Any]:
    """Name the attributes that are not there, unless as many as are needed are."""
    if not isinstance(names, list | tuple):
        return []
    gone = missing(data, names)
    return [] if len(names) - len(gone) >= number(needed) else gone


def contains(needle: Any, haystack: Any) -> bool:
    """Find a piece in a text, or an item in a list."""
    if isinstance(haystack, str):
        return text(needle) in haystack
    return isinstance(haystack, list | tuple) and any(strictly_equal(needle, item) for item in haystack)


def starts_with(value: Any, start: Any) -> bool | None:
    """Say whether a text begins so; null where either is none."""
    return value.startswith(start) if isinstance(value, str) and isinstance(start, str) else None


def ends_with(value: Any, end: Any) -> bool | None:
    """Say whether a text ends so; null where either is none."""
    return value.endswith(end) if isinstance(value, str) and isinstance(end, str) else None


def cat(*values: Any) -> str:
    """Write values one after another."""
    return "".join(_bounded(joined(value) for value in values))


def substr(value: Any, start: Any, length: Any = None) -> str:
    """Cut a piece out of a text; what is negative counts from the end."""
    whole, begin = text(value), _index(start)
    rest = whole[begin if begin >= 0 else max(0, len(whole) + begin) :]
    return rest if length is None else rest[: _index(length)]


def merge(*values: Any) -> list[Any]:
    """Make one list of lists and of single values."""
    lists = (value if isinstance(value, list | tuple) else (value,) for value in values)
    return [item for items in _bounded(lists) for item in items]


def add(*values: Any) -> int | float:
    """Add numbers up."""
    total: int | float = 0
    for value in values:
        total = number(total + number(value))
    return total


def multiply(*values: Any) -> int | float:
    """Multiply numbers."""
    product: int | float = 1
    for value in values:
        product = number(product * number(value))
    return product


def subtract(left: Any, right: Any) -> int | float:
    """Take one number from another."""
    return number(number(left) - number(right))


def negate(value: Any) -> int | float:
    """Turn a number round."""
    return -number(value)


def divide(left: Any, right: Any) -> int | float:
    """Divide as JavaScript does, where by zero is infinite; what comes out even is an integer."""
    dividend, divisor = number(left), number(right)
    if divisor == 0:
        return NAN if dividend == 0 or dividend != dividend else math.copysign(math.inf, dividend)
    result = dividend / divisor
    return (
        int(result)
        if isinstance(dividend, int) and isinstance(divisor, int) and result.is_integer()
        else result
    )


def remainder(left: Any, right: Any) -> int | float:
    """Divide and keep the rest, which has the sign of the dividend."""
    dividend, divisor = number(left), number(right)
    if divisor == 0 or dividend != dividend or math.isinf(dividend):
        return NAN
    if isinstance(dividend, int) and isinstance(divisor, int):
        rest = abs(dividend) % abs(divisor)
        return rest if dividend >= 0 else -rest
    return math.fmod(dividend, divisor)


def least(*values: Any) -> int | float:
    """Return the smallest number; NaN of none."""
    return _chosen(min, values)


def greatest(*values: Any) -> int | float:
    """Return the largest number; NaN of none."""
    return _chosen(max, values)


def between(low: Any, value: Any, high: Any) -> bool:
    """Say whether three values grow."""
    return less(low, value) and less(value, high)


def between_equal(low: Any, value: Any, high: Any) -> bool:
    """Say whether three values do not shrink."""
    return less_equal(low, value) and less_equal(value, high)


def mapped(items: Any, rule: Rule, steps: Steps) -> list[Any]:
    """Apply a rule to each item."""
    return [steps.made(rule(item, steps)) for item in items] if isinstance(items, list | tuple) else []


def filtered(items: Any, rule: Rule, steps: Steps) -> list[Any]:
    """Keep the items that a rule is true of."""
    return [item for item in _counted(items, steps) if truthy(rule(item, steps))]


def reduced(items: Any, rule: Rule, steps: Steps, initial: Any) -> Any:
    """Fold items into one value; the rule sees `current` and `accumulator`."""
    accumulator = initial
    for item in _counted(items, steps):
        accumulator = steps.made(rule({"current": item, "accumulator": accumulator}, steps))
    return accumulator


def every(items: Any, rule: Rule, steps: Steps) -> bool:
    """Say whether a rule is true of all items, of which there has to be one."""
    counted = _counted(items, steps)
    return len(counted) > 0 and all(truthy(rule(item, steps)) for item in counted)


def some(items: Any, rule: Rule, steps: Steps) -> bool:
    """Say whether a rule is true of an item."""
    return any(truthy(rule(item, steps)) for item in _counted(items, steps))


def _counted(items: Any, steps: Steps) -> Sequence[Any]:
    """Return the items of a list, which are looked at one by one."""
    if not isinstance(items, list | tuple):
        return ()
    steps.take(len(items))
    return items


def _bounded(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield parts of what is put together, up to a bound.

    Raises:
        RuleError: it is more.
    """
    length = 0
    for part in parts:
        length += len(part)
        if length > LONGEST:
            raise RuleError(f"it makes something longer than {LONGEST:,}")
        yield part


def _item(data: Sequence[Any], step: str) -> Any:
    if step == "length":
        return len(data)
    if step.isascii() and step.isdigit() and len(step) < 10 and (step == "0" or step[0] != "0"):
        return data[int(step)] if int(step) < len(data) else None
    return None


def _index(value: Any) -> int:
    found = number(value)
    return 0 if found != found else int(max(-(2**31), min(2**31, found)))


def _chosen(choose: Callable[[list[Any]], int | float], values: Sequence[Any]) -> int | float:
    numbers = [number(value) for value in values]
    return choose(numbers) if numbers and all(value == value for value in numbers) else NAN
