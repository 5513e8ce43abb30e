"""Values that may be absent."""

from collections.abc import Callable
from typing import Any

from davy.policy.cel.operators import is_list, is_map, no_overload
from davy.policy.cel.signature import Library
from davy.policy.cel.values import NONE, Optional, Value

OPTIONALS = Library()
LENIENT = Library()
"""What Kyverno adds: a value that is no optional may be asked for `orValue`, and is its own answer."""


@OPTIONALS.define("optional.of", "(T) -> optional(T)")
def of(value: Value) -> Optional:
    """Make an optional that is there."""
    return Optional(value)


@OPTIONALS.define("optional.none", "() -> optional(T)")
def none() -> Optional:
    """Return the optional that is not there."""
    return NONE


@OPTIONALS.define("optional.ofNonZeroValue", "(T) -> optional(T)")
def of_non_zero(value: Any) -> Optional:
    """Make an optional that is there unless its value is the empty one of its type."""
    empty = value is None or (
        (is_list(value) or is_map(value) or isinstance(value, str | bytes | int | float)) and not value
    )
    return NONE if empty else Optional(value)


@OPTIONALS.define("hasValue", "optional(T).() -> bool")
def has_value(optional: Optional) -> bool:
    """Say whether it is there."""
    return optional.present


@OPTIONALS.define("value", "optional(T).() -> T")
def value(optional: Optional) -> Value:
    """Return what is in it; an error if it is not there."""
    return optional.get()


@OPTIONALS.define("or", "optional(T).(optional(T)) -> optional(T)")
def or_(optional: Any, other: Callable[[], Value]) -> Value:
    """Return it if it is there, else another, which is evaluated only then."""
    return optional if _optional(optional).present else other()


@OPTIONALS.define("orValue", "optional(T).(T) -> T")
def or_value(optional: Any, other: Callable[[], Value]) -> Value:
    """Return what is in it if it is there, else another value, which is evaluated only then."""
    return optional.value if _optional(optional).present else other()


def _optional(value: Value) -> Optional:
    if not isinstance(value, Optional):
        no_overload()
    return value


@LENIENT.define("orValue", "dyn.(dyn) -> dyn")
def or_value_leniently(found: Value, other: Callable[[], Value]) -> Value:
    """Do the same; what is no optional is its own answer."""
    return or_value(found, other) if isinstance(found, Optional) else found
