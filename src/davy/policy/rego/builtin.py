"""What a builtin is: a name, a number of arguments, and a Python function over Rego's values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from davy.policy.rego.budget import Budget
from davy.policy.rego.values import Value, type_name


class BuiltinError(Exception):
    """A builtin cannot answer. To the policy the call is undefined, as OPA has it unless told to be strict."""


@dataclass(slots=True)
class Context:
    """What builtins may know beside their arguments, for one evaluation.

    Args:
        now_ns: the time, in nanoseconds since 1970; `time.now_ns()` is the same all through an evaluation.
        seed: what `rand.intn` and `uuid.rfc4122` draw from; the same seed draws the same.
        budget: what is left of steps and size.
        external_data: answers `external_data({"provider": …, "keys": […]})`; without one nothing is answered.
        cache: what builtins remember for the evaluation.
        printed: what the policy said with `print`, in order.
    """

    now_ns: int = 0
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    external_data: Callable[[Mapping[str, Value]], Value] | None = None
    cache: dict[Any, Any] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Builtin:
    """One builtin.

    Args:
        name: as policies write it, e.g. `regex.match`.
        arity: how many arguments it takes; -1 is any number (`print`).
        call: takes the arguments, none of them undefined, and gives a value or raises `BuiltinError`.
        contextual: `call` takes a `Context` before the arguments.
        relation: `call` gives an iterator of values, each of which is an answer of its own (`walk`).
    """

    name: str
    arity: int
    call: Callable[..., Value]
    contextual: bool = False
    relation: bool = False


def refuse(position: int, value: Value, *wanted: str) -> NoReturn:
    """Say that an argument is of another type than the builtin takes.

    Raises:
        BuiltinError: always.
    """
    raise BuiltinError(f"operand {position} must be {' or '.join(wanted)} but got {type_name(value)}")


def text(value: Value, position: int) -> str:
    """Take an argument that has to be a string."""
    return value if type(value) is str else refuse(position, value, "string")


def number(value: Value, position: int) -> int | float:
    """Take an argument that has to be a number."""
    return value if type(value) is int or type(value) is float else refuse(position, value, "number")


def place(value: Value, position: int) -> int:
    """Take an argument that has to be a place, a size or a count: a whole number of Go's `int`."""
    found = value if type(value) is int else whole(value, position)
    if not -(2**63) <= found < 2**63:
        raise BuiltinError(f"operand {position} must be an integer that is not so large")
    return found


def whole(value: Value, position: int) -> int:
    """Take an argument that has to be a whole number; `2.0` is one."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is float:
        raise BuiltinError(f"operand {position} must be integer number but got floating-point number")
    refuse(position, value, "number")
