"""The values of an evaluation that JSON does not have, and what sort of value anything is."""

from collections.abc import Mapping
from typing import Final

from davy.policy.cel.errors import CelError
from davy.policy.cel.numbers import Uint

Value = object
"""None, bool, int, Uint, float, str, bytes, list, a mapping, or of a class here or in the libraries."""


class Opaque:
    """A value with a type of its own, which expressions can only hand to functions. Subclasses say its name."""

    __slots__ = ()
    type_name: str


class Optional(Opaque):
    """A value that may be absent."""

    __slots__ = ("present", "value")
    type_name = "optional_type"

    def __init__(self, value: Value = None, present: bool = True) -> None:
        self.value = value
        self.present = present

    def get(self) -> Value:
        """Return what is in it.

        Raises:
            CelError: it is absent.
        """
        if self.present:
            return self.value
        raise CelError("optional.none() dereference")


NONE: Final = Optional(None, False)


class TypeName(Opaque):
    """A type as a value, as `type(x)` returns it."""

    __slots__ = ("name",)
    type_name = "type"

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypeName) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


class Instant(Opaque):
    """A timestamp, in nanoseconds since 1970 UTC. `offset` is how many seconds its zone is ahead."""

    __slots__ = ("ns", "offset")
    type_name = "google.protobuf.Timestamp"

    def __init__(self, ns: int, offset: int = 0) -> None:
        if not -62135596800 * 10**9 <= ns < 253402300800 * 10**9:
            raise CelError("timestamp overflow")
        self.ns = ns
        self.offset = offset

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Instant) and self.ns == other.ns

    def __hash__(self) -> int:
        return hash(self.ns)


class Duration(Opaque):
    """A length of time, in nanoseconds."""

    __slots__ = ("ns",)
    type_name = "google.protobuf.Duration"

    def __init__(self, ns: int) -> None:
        if not -(1 << 63) <= ns < 1 << 63:
            raise CelError("duration overflow")
        self.ns = ns

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and self.ns == other.ns

    def __hash__(self) -> int:
        return hash(self.ns)


SORTS: dict[type, str] = {
    bool: "bool",
    int: "int",
    Uint: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    type(None): "null_type",
    list: "list",
    tuple: "list",
    dict: "map",
}
"""The types that values usually have."""


def sort_of(kind: type) -> str:
    """Return the name that CEL has for the values of a class; `dyn` for what it has none for."""
    found = SORTS.get(kind)
    if found is not None:
        return found
    if issubclass(kind, Opaque):
        return kind.type_name
    for base, name in ((str, "string"), (list | tuple, "list"), (Mapping, "map")):
        if issubclass(kind, base):
            return name
    return "dyn"


def type_name(value: Value) -> TypeName:
    """Return the type of a value."""
    return TypeName(sort_of(type(value)))
