"""What a compilation writes and keeps: pieces of Python, constants, and the names in scope."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from davy.policy.cel import loops, operators, tree
from davy.policy.cel.environment import Environment
from davy.policy.cel.errors import CelError
from davy.policy.cel.types import BOOL, Type, fits
from davy.policy.cel.values import Value

DEEPEST = 20
"""How deep one piece of Python may be nested; CPython's own limit is 200 brackets."""


class Code(NamedTuple):
    """A piece of Python, the type of what it gives, and how deep it is nested."""

    text: str
    type: Type
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Local:
    """A name of a macro: what Python calls it, and its type."""

    name: str
    type: Type


def variable(variables: Mapping[str, Value], name: str) -> Value:
    """Look a variable up."""
    try:
        return variables[name]
    except KeyError:
        raise CelError(f"no such attribute(s): {name}") from None


def placed(offset: int, run: Callable[..., Value], *arguments: Any) -> Value:
    """Call something; an error that has no place yet gets this one."""
    try:
        return run(*arguments)
    except CelError as error:
        if error.offset is None:
            error.offset = offset
        raise


RUNTIME = {
    "placed": placed,
    "variable": variable,
    **{found.__name__: found for found in (
        operators.boolean, operators.equal, operators.unequal, operators.less, operators.at_most,
        operators.greater, operators.at_least, operators.member, operators.field, operators.presence,
        operators.index, operators.optional_index, operators.optional_field,
        operators.add, operators.subtract, operators.multiply, operators.divide, operators.modulo,
        operators.negate, operators.invert, operators.conjunction, operators.disjunction,
        operators.list_from, operators.map_from,
        loops.elements, loops.turns, loops.every, loops.some, loops.one, loops.singles, loops.mapped,
        loops.entered, loops.in_order, loops.if_present, loops.then_present,
    )},
}  # fmt: skip
"""What the Python of an expression may call by name."""

BUILTINS = {"all": all, "any": any, "sum": sum}


class Pieces(ABC):
    """What a compilation keeps, and how it puts pieces together."""

    def __init__(self, environment: Environment, variables: Mapping[str, Type], careful: bool) -> None:
        self.environment = environment
        self.variables = variables
        self.careful = careful
        self.mixed = False
        self.count = 0
        self.scope: dict[str, Local] = {}
        self.functions: list[str] = []
        self.namespace: dict[str, Any] = {**RUNTIME, "__builtins__": BUILTINS}

    def fresh(self, letter: str) -> str:
        """Return a name that was not used yet; no name of an expression gets into the Python."""
        self.count += 1
        return f"{letter}{self.count}"

    def constant(self, value: object) -> str:
        """Keep a value in the namespace, and return its name there."""
        name = self.fresh("K")
        self.namespace[name] = value
        return name

    def made(self, text: str, kind: Type, *parts: Code) -> Code:
        """Put a piece together; one that is nested too deeply moves into a function of its own."""
        depth = 1 + max((part.depth for part in parts), default=0)
        if depth < DEEPEST:
            return Code(text, kind, depth)
        name = self.fresh("F")
        names = ", ".join(("V", "B", *(local.name for local in self.scope.values())))
        self.functions.append(f"def {name}({names}): return {text}")
        return Code(f"{name}({names})", kind)

    def call(
        self, at: int, run: str, kind: Type, *parts: Code, metered: bool = False, before: str = ""
    ) -> Code:
        """Call a function of the namespace."""
        given = [*(("B",) if metered else ()), *(part.text for part in parts), *((before,) if before else ())]
        if self.careful:
            return self.made(f"placed({', '.join((str(at), run, *given))})", kind, *parts)
        return self.made(f"{run}({', '.join(given)})", kind, *parts)

    @abstractmethod
    def code(self, node: tree.Node) -> Code:
        """Write the Python of a part of the tree."""

    def test(self, node: tree.Node) -> Code:
        """Compile what has to be a bool; at run time it is one, or an error."""
        return self.tested(node, self.code(node))

    def tested(self, node: tree.Node, code: Code) -> Code:
        """Make sure that a piece is a bool, now if that can be told, else at run time."""
        if code.type == BOOL:
            return code
        if not fits(code.type, BOOL, {}):
            raise CelError(f"expected type 'bool' but found '{code.type}'", node.at)
        return self.call(node.at, "boolean", BOOL, code)

    def within(self, name: str, kind: Type, node: tree.Node) -> tuple[Code, str]:
        """Write a part with one more name in scope; return what Python calls it, too."""
        before, fresh = self.scope, self.fresh("x")
        self.scope = {**before, name: Local(fresh, kind)}
        try:
            return self.code(node), fresh
        finally:
            self.scope = before

    def undeclared(self, name: str, at: int) -> CelError:
        """Say that there is no such name."""
        return CelError(f"undeclared reference to '{name}' (in container '')", at)

    def no_overload(self, name: str, at: int, codes: tuple[Code, ...], method: bool) -> CelError:
        """Say that a function is not for such arguments."""
        kinds = [str(code.type) for code in codes]
        applied = f"{kinds[0]}.({', '.join(kinds[1:])})" if method else f"({', '.join(kinds)})"
        return CelError(f"found no matching overload for '{name}' applied to '{applied}'", at)
