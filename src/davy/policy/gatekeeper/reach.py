"""What a template's Rego may reach: the review, the inventory, and its own libraries."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from davy.policy.rego.errors import BadRego, Place
from davy.policy.rego.terms import Call, Literal, Module, Ref, Var

READABLE = ("inventory", "lib")

UNSTEADY = ("time.now_ns", "rand.intn", "uuid.rfc4122")
"""Functions that answer differently each time: CI, admission and the engine would not say the same."""


def check_reach(module: Module, *, library: bool) -> None:
    """Hold a module to Gatekeeper's rules, and to Davy's: the same question has the same answer.

    Raises:
        BadRego: it reaches further.
    """
    if library != (module.package[0] == "lib" and len(module.package) > 1):
        place = "a library's package is lib.SOMETHING" if library else "the package of a template is not lib"
        raise _refused(f"{place}, and this one is {'.'.join(module.package)}", module.place)
    if module.package[0] in ("inventory", "lib") and not library:
        raise _refused(f"the package of a template cannot be {'.'.join(module.package)}", module.place)
    for imported in module.imports:
        if imported.path[:2] != ("data", "lib"):
            raise _refused(f"{'.'.join(imported.path)} cannot be imported, only data.lib", imported.place)
    for part in _parts(module.rules):
        _check(part)


def _check(part: Any) -> None:
    match part:
        case Ref(Var("data"), operands, place) if not _readable(operands[0]):
            raise _refused("only data.inventory and data.lib can be read", place)
        case Call(("data", name, *_), _, place) if name not in READABLE:
            raise _refused(f"only functions of data.lib can be called, not of data.{name}", place)
        case Call(function, _, place) if ".".join(function) in UNSTEADY:
            name = ".".join(function)
            raise _refused(f"{name} answers differently each time, and Davy says the same everywhere", place)
        case _:
            pass


def _readable(operand: Any) -> bool:
    return isinstance(operand, Literal) and operand.value in READABLE


def _parts(part: Any) -> Iterator[Any]:
    """Go through all terms of a syntax tree; the `data` at the head of a reference is part of that."""
    if isinstance(part, tuple):
        for each in part:
            yield from _parts(each)
    elif isinstance(part, Var):
        if part.name == "data":
            raise _refused("data cannot be read as a whole, only data.inventory and data.lib", part.place)
    elif is_dataclass(part):
        yield part
        for field in fields(part):
            below = getattr(part, field.name)
            if not (isinstance(part, Ref) and isinstance(below, Var) and below.name == "data"):
                yield from _parts(below)


def _refused(sentence: str, place: Place) -> BadRego:
    return BadRego("gatekeeper_error", sentence, place)
