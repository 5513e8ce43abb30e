"""Functions and what they may be called with: a line of text each, for the checker and at run time alike."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from davy.policy.cel.budget import Budget
from davy.policy.cel.errors import CelError
from davy.policy.cel.types import DYN, Known, Type, filled, fits
from davy.policy.cel.values import Value, sort_of

SHORT = {
    "null": "null_type",
    "optional": "optional_type",
    "duration": "google.protobuf.Duration",
    "timestamp": "google.protobuf.Timestamp",
    "quantity": "kubernetes.Quantity",
    "url": "kubernetes.URL",
    "semver": "kubernetes.Semver",
    "format": "kubernetes.NamedFormat",
    "ip": "net.IP",
    "cidr": "net.CIDR",
}


Python = TypeVar("Python", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Overload:
    """One way to call a function. A `metered` one gets the budget in front of its arguments."""

    method: bool
    parameters: tuple[Type, ...]
    result: Type
    run: Callable[..., Value]
    metered: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A function by its name, with the ways to call it. `literal` refuses a text that is written out."""

    name: str
    overloads: tuple[Overload, ...]
    literal: Callable[[str], object] | None = None
    _callers: dict[tuple[bool, int], Callable[..., Value]] = field(default_factory=dict, compare=False)

    def result(self, arguments: tuple[Type, ...], method: bool) -> Type | None:
        """Return the type of what a call gives, None where no way to call it fits."""
        results: list[Type] = []
        for overload in self.overloads:
            known: Known = {}
            if (
                overload.method is method
                and len(overload.parameters) == len(arguments)
                and all(fits(g, w, known) for g, w in zip(arguments, overload.parameters, strict=True))
            ):
                results.append(filled(overload.result, known))
        if not results:
            return None
        return results[0] if all(result == results[0] for result in results) else DYN

    def caller(self, method: bool, arity: int) -> Callable[..., Value]:
        """Return what calls it: with the budget, then the arguments. It looks at their types."""
        found = self._callers.get((method, arity))
        if found is None:
            ways = [way for way in self.overloads if way.method is method and len(way.parameters) == arity]
            found = self._callers[method, arity] = _dispatching(self.name, ways)
        return found


def _dispatching(name: str, ways: Sequence[Overload]) -> Callable[..., Value]:
    """Make what chooses by the classes of the arguments; what was chosen once is remembered."""
    plain: dict[tuple[type, ...], Callable[..., Value]] = {}
    metered: dict[tuple[type, ...], Callable[..., Value]] = {}

    def call(budget: Budget, *arguments: Any) -> Value:
        classes = tuple(map(type, arguments))
        run = plain.get(classes)
        if run is not None:
            return run(*arguments)
        run = metered.get(classes)
        if run is not None:
            return run(budget, *arguments)
        way = _way(name, ways, classes)
        (metered if way.metered else plain)[classes] = way.run
        return call(budget, *arguments)

    return call


def _way(name: str, ways: Sequence[Overload], classes: tuple[type, ...]) -> Overload:
    sorts = [sort_of(found) for found in classes]
    for way in ways:
        if all(w.name in ("dyn", s) or w.name.isupper() for s, w in zip(sorts, way.parameters, strict=True)):
            return way
    raise CelError(f"no such overload: {name}({', '.join(sorts)})")


class Library:
    """Functions that are being defined; libraries are joined to make an environment."""

    def __init__(self) -> None:
        self.overloads: dict[str, list[Overload]] = {}
        self.literals: dict[str, Callable[[str], object]] = {}

    def define(self, name: str, *signatures: str, metered: bool = False) -> Callable[[Python], Python]:
        """Make a function of Python one of CEL: `string.(int) -> string`, or `(int) -> string` if no method."""

        def decorate(run: Python) -> Python:
            for signature in signatures:
                self.add(name, signature, run, metered=metered)
            return run

        return decorate

    def add(self, name: str, signature: str, run: Callable[..., Value], *, metered: bool = False) -> None:
        """Define one way to call a function."""
        method, parameters, result = read_signature(signature)
        self.overloads.setdefault(name, []).append(Overload(method, parameters, result, run, metered))


def functions(*libraries: Library) -> Mapping[str, Function]:
    """Join libraries; a name may be in several of them, e.g. `size`."""
    overloads: dict[str, list[Overload]] = {}
    literals: dict[str, Callable[[str], object]] = {}
    for library in libraries:
        literals |= library.literals
        for name, found in library.overloads.items():
            overloads.setdefault(name, []).extend(found)
    return {name: Function(name, tuple(found), literals.get(name)) for name, found in overloads.items()}


def read_signature(signature: str) -> tuple[bool, tuple[Type, ...], Type]:
    """Read e.g. `list(T).(T) -> int`: whether it is a method, its parameters with the receiver, its result."""
    left, _, right = signature.partition(" -> ")
    receiver, dot, rest = left.rpartition(".(") if ".(" in left else ("", "", left[1:])
    parameters = tuple(_types(rest[:-1]))
    if dot:
        parameters = (next(iter(_types(receiver))), *parameters)
    return bool(dot), parameters, next(iter(_types(right)))


def _types(text: str) -> Iterable[Type]:
    depth, part = 0, ""
    for character in text + ",":
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            if part.strip():
                yield _type(part.strip())
            part = ""
        else:
            part += character


def _type(text: str) -> Type:
    name, bracket, rest = text.partition("(")
    return Type(SHORT.get(name, name), tuple(_types(rest[:-1])) if bracket else ())
