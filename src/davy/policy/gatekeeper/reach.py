"""What a template's Rego may reach: the review, the inventory, and its own libraries."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, get_args

from davy.policy.rego.errors import BadRego, Place
from davy.policy.rego.parser import KEPT
from davy.policy.rego.terms import Branch, Call, Literal, Module, Ref, Rule, Statement, Term, Var, With

READABLE = ("inventory", "lib")

UNSTEADY = ("time.now_ns", "rand.intn", "uuid.rfc4122")
"""Functions that answer differently each time: CI, admission and the engine would not say the same."""


ABOUT = ("kind", "operation", "name", "namespace", "namespaceObject", "userInfo", "requestKind")
"""What a review says of an object without a look into it."""


_PARTS: Final = {
    kind: tuple(name for name in reversed(kind.__struct_fields__) if name not in ("place", "text", "kind"))
    for kind in (Rule, Branch, With, *get_args(Statement), *get_args(Term))
}
"""What of a term may have terms in it, last things first."""


@lru_cache(KEPT)
def check_reach(module: Module, *, library: bool) -> bool:
    """Hold a module to Gatekeeper's rules, and to Davy's: the same question has the same answer.

    Returns:
        Whether it looks at nothing of an object but its kind, its name and its namespace. Such code has nothing
        against what an object says: whatever it refuses, it refuses for what it is.

    Raises:
        BadRego: it reaches further than it may.
    """
    if library != (module.package[0] == "lib" and len(module.package) > 1):
        place = "a library's package is lib.SOMETHING" if library else "the package of a template is not lib"
        raise _refused(f"{place}, and this one is {'.'.join(module.package)}", module.place)
    if module.package[0] in ("inventory", "lib") and not library:
        raise _refused(f"the package of a template cannot be {'.'.join(module.package)}", module.place)
    for imported in module.imports:
        if imported.path[:2] != ("data", "lib"):
            raise _refused(f"{'.'.join(imported.path)} cannot be imported, only data.lib", imported.place)
    outside = True
    for part in _telling(module):
        _check(part)
        outside = outside and _outside(part)
    return outside


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


def _telling(module: Module) -> Iterator[Var | Ref | Call]:
    """Go through all names, references and calls; the document at the head of a reference is part of that."""
    left: list[Any] = [module.rules]
    while left:
        part = left.pop()
        kind = type(part)
        if kind is tuple:
            left += reversed(part)
            continue
        if kind is Var or kind is Call or kind is Ref:
            yield part
        if kind is Ref and isinstance(part.head, Var) and part.head.name in ("data", "input"):
            left.append(part.operands)
        else:
            left += [getattr(part, name) for name in _PARTS.get(kind, ())]


def _refused(sentence: str, place: Place) -> BadRego:
    return BadRego("gatekeeper_error", sentence, place)
