"""Static types: what is known of a value before it is there. Of manifests nothing is: they are `dyn`."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Type:
    """A type of CEL.

    Args:
        name: as CEL calls it; one upper-case letter is a parameter of a function's signature.
        of: the types of what is in it: a list has one, a map has two, an optional has one.
        fields: those of an object that the API server declares, e.g. of `request`; None where any may be there.
    """

    name: str
    of: tuple["Type", ...] = ()
    fields: Mapping[str, "Type"] | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """Write it as messages of the API server do."""
        name = SHOWN.get(self.name, self.name)
        return f"{name}({', '.join(map(str, self.of))})" if self.of else name


SHOWN = {"null_type": "null", "google.protobuf.Duration": "duration", "google.protobuf.Timestamp": "timestamp"}

DYN, BOOL, INT, UINT, DOUBLE = (Type(name) for name in ("dyn", "bool", "int", "uint", "double"))
STRING, BYTES, NULL = Type("string"), Type("bytes"), Type("null_type")
DURATION, TIMESTAMP = Type("google.protobuf.Duration"), Type("google.protobuf.Timestamp")
NUMERIC = frozenset((INT, UINT, DOUBLE))


def list_of(element: Type) -> Type:
    """Return the type of lists of something."""
    return Type("list", (element,))


def map_of(key: Type, value: Type) -> Type:
    """Return the type of maps from something to something."""
    return Type("map", (key, value))


def optional_of(value: Type) -> Type:
    """Return the type of what may be absent."""
    return Type("optional_type", (value,))


def type_of(value: Type) -> Type:
    """Return the type of a type, e.g. of `int` where it is compared with `type(x)`."""
    return Type("type", (value,))


Known = dict[str, Type]
"""What the parameters of a signature turned out to be."""


def fits(given: Type, wanted: Type, known: Known) -> bool:
    """Say whether a value of one type may stand where another is wanted; parameters become known by it."""
    if wanted.name.isupper():
        return _fits_parameter(given, wanted.name, known)
    if "dyn" in (given.name, wanted.name):
        return True
    if given.name.isupper():
        return True  # an empty list, or optional.none(): it fits any
    if NULL in (given, wanted):
        return _nullable(given) and _nullable(wanted)
    return given.name == wanted.name and all(map(lambda g, w: fits(g, w, known), given.of, wanted.of))


def _nullable(kind: Type) -> bool:
    """Say whether null may stand for a value: for an object of a declared type only."""
    return kind == NULL or kind.fields is not None


def _fits_parameter(given: Type, name: str, known: Known) -> bool:
    before = known.get(name)
    if before is None or before.name == "dyn" or before.name.isupper():
        known[name] = given if before is None or before.name.isupper() else before
        return True
    if given.name == "dyn":
        known[name] = given
        return True
    return fits(given, before, {})


def filled(wanted: Type, known: Known) -> Type:
    """Return a type with its parameters filled in; one that nobody knows stays, and fits anything."""
    if wanted.name.isupper():
        return known.get(wanted.name, wanted)
    if not wanted.of:
        return wanted
    return Type(wanted.name, tuple([filled(part, known) for part in wanted.of]), wanted.fields)


def joined(one: Type, other: Type) -> Type | None:
    """Return the one type of two branches, None where they have none in common."""
    if DYN in (one, other):
        return DYN
    if not fits(other, one, {}):
        return None
    return other if _vague(one) else one


def alike(one: Type, other: Type) -> bool:
    """Say whether two elements of a list literal have one type, as they must; `dyn` is one, too."""
    if one.name.isupper() or other.name.isupper():
        return True
    return one.name == other.name and all(map(alike, one.of, other.of))


def _vague(kind: Type) -> bool:
    return any(part.name.isupper() or _vague(part) for part in kind.of)
