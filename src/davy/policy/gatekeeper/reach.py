"""What a template's Rego may reach: the review, the inventory, and its own libraries."""

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from davy.policy.rego.errors import BadRego, Place
from davy.policy.rego.terms import Call, Literal, Module, Ref, Var

READABLE = ("inventory", "lib")

UNSTEADY = ("time.now_ns", "rand.intn", "uuid.rfc4122")
"""Functions that answer differently each time: CI, admission and the engine would not say the same."""


ABOUT = ("kind", "operation", "name", "namespace", "namespaceObject", "userInfo", "requestKind")
"""What a review says of an object without a look into it."""


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


def judges_kind_alone(modules: Iterable[Module]) -> bool:
    """Say whether code looks at nothing of an object but its kind, its name and its namespace.

    Such code has nothing against what an object says: whatever it refuses, it refuses for what it is.
    """
    return all(_outside(part) for module in modules for part in _parts(module.rules))


def _outside(part: Any) -> bool:
    match part:
        case Var("input"):
            return False  # all of it is handed on, to who knows whom
        case Ref(Var("data"), operands):
            return isinstance(operands[0], Literal) and operands[0].value == "lib"
        case Ref(Var("input"), operands):
            return _about(
                tuple(operand.value if isinstance(operand, Literal) else None for operand in operands)
            )
        case _:
            return True


def _about(path: tuple[Any, ...]) -> bool:
    match path:
        case ("parameters", *_):
            return True
        case ("review", "object", "kind" | "apiVersion", *_):
            return True
        case ("review", "object", "metadata", "name" | "namespace", *_):
            return True
        case ("review", name, *_):
            return name in ABOUT
        case _:
            return False


def _check(part: Any) -> None:
    match part:
        case Var("data", place):
            raise _refused("data cannot be read as a whole, only data.inventory and data.lib", place)
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
    """Go through all terms of a syntax tree; the document at the head of a reference is part of that."""
    if isinstance(part, tuple):
        for each in part:
            yield from _parts(each)
    elif is_dataclass(part):
        yield part
        for field in fields(part):
            below = getattr(part, field.name)
            if not (isinstance(part, Ref) and isinstance(below, Var) and below.name in ("data", "input")):
                yield from _parts(below)


def _refused(sentence: str, place: Place) -> BadRego:
    return BadRego("gatekeeper_error", sentence, place)
