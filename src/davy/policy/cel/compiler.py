"""Trees turned into Python, and checked on the way as the API server checks them.

There are two ways to run a tree. The fast one uses what Python does by itself wherever that gives the right
answer or raises something: `and`, `x["field"]`, `==`. If it raises, the careful one says what the answer is:
it absorbs errors as `&&`, `||`, `all` and `exists` do, and knows the place of each. Evaluations have no side
effects, so the second run begins where the first did.

No text of an expression gets into the Python: names are counted (`x1`, `F2`), texts and numbers go through
`repr`, and everything else is a constant in the namespace.
"""

import math
from collections.abc import Callable, Mapping
from typing import assert_never

from davy.policy.cel import tree
from davy.policy.cel.budget import Budget
from davy.policy.cel.environment import KUBERNETES, TYPES, Environment
from davy.policy.cel.errors import CelError
from davy.policy.cel.library import optionals
from davy.policy.cel.library.formats import clauses
from davy.policy.cel.macros import Macros
from davy.policy.cel.numbers import Uint
from davy.policy.cel.pieces import Code
from davy.policy.cel.signature import Function
from davy.policy.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    UINT,
    Type,
    alike,
    fits,
    joined,
    list_of,
    map_of,
    optional_of,
    type_of,
)
from davy.policy.cel.values import TypeName, Value

Run = Callable[[Mapping[str, Value], Budget], Value]

LITERALS: dict[type, Type] = {
    type(None): NULL, bool: BOOL, int: INT, Uint: UINT, float: DOUBLE, str: STRING, bytes: BYTES
}  # fmt: skip


def compile_tree(
    node: tree.Node, environment: Environment, variables: Mapping[str, Type], *, careful: bool
) -> tuple[Run, Type]:
    """Make what evaluates a tree, and say what type it gives.

    Raises:
        CelError: the API server would not take the expression.
    """
    compiler = _Compiler(environment, variables, careful)
    code = compiler.code(node)
    source = "\n".join((*compiler.functions, f"def run(V, B): return {code.text}"))
    exec(compile(source, "<cel>", "exec"), compiler.namespace)  # noqa: S102 - of names counted here only
    run: Run = compiler.namespace["run"]
    return run, code.type


METERED = {"_==_": "equal", "_!=_": "unequal", "@in": "member", "_+_": "add"}
PLAIN = {
    "_<_": "less", "_<=_": "at_most", "_>_": "greater", "_>=_": "at_least", "_-_": "subtract",
    "_*_": "multiply", "_/_": "divide", "_%_": "modulo", "-_": "negate", "!_": "invert",
}  # fmt: skip
LAZY = {"or": optionals.or_, "orValue": optionals.or_value}
LENIENTLY = {"or": optionals.or_, "orValue": optionals.or_value_leniently}
SIGNS = {"_==_": "==", "_!=_": "!=", "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">="}
SCALARS = frozenset((BOOL, INT, UINT, DOUBLE, STRING, BYTES, NULL))


class _Compiler(Macros):
    """One compilation: a method for each sort of part."""

    def code(self, node: tree.Node) -> Code:
        match node:
            case tree.Literal():
                return self.literal(node)
            case tree.Name():
                return self.name(node)
            case tree.Select():
                return self.select(node)
            case tree.Presence():
                return self.presence(node)
            case tree.Index():
                return self.index(node)
            case tree.Call():
                return self.function(node)
            case tree.Logic():
                return self.logic(node)
            case tree.Conditional():
                return self.conditional(node)
            case tree.ListOf():
                return self.list_of(node)
            case tree.MapOf():
                return self.map_of(node)
            case tree.Loop():
                return self.loop(node)
            case tree.Bind():
                return self.bind(node)
            case _:
                assert_never(node)

    def literal(self, node: tree.Literal) -> Code:
        value, kind = node.value, LITERALS[type(node.value)]
        if type(value) in (Uint, bytes) or (isinstance(value, float) and not math.isfinite(value)):
            return Code(self.constant(value), kind)
        return Code(f"({value!r})" if type(value) in (int, float) else repr(value), kind)

    def name(self, node: tree.Name) -> Code:
        local = self.scope.get(node.name)
        if local is not None:
            return Code(local.name, local.type)
        kind = self.variables.get(node.name)
        if kind is not None:
            if self.careful:
                return Code(f"placed({node.at}, variable, V, {node.name!r})", kind)
            return Code(f"V[{node.name!r}]", kind)
        if node.name in TYPES:
            return self.type_name(node.name)
        raise self.undeclared(node.name, node.at)

    def type_name(self, name: str) -> Code:
        return Code(self.constant(TypeName(name)), type_of(TYPES[name]))

    def select(self, node: tree.Select) -> Code:
        qualified = self.qualified(node)
        if qualified in TYPES:
            return self.type_name(qualified)
        operand = self.code(node.operand)
        kind = self.field_type(operand.type, node)
        if node.optional or operand.type.name == "optional_type":
            return self.call(node.at, "optional_field", optional_of(kind), operand, before=repr(node.field))
        if self.careful:
            return self.call(node.at, "field", kind, operand, before=repr(node.field))
        return self.made(f"{operand.text}[{node.field!r}]", kind, operand)

    def qualified(self, node: tree.Node) -> str:
        """Return a dotted name, if the tree is one and no variable begins it; else nothing."""
        names: list[str] = []
        while isinstance(node, tree.Select) and not node.optional:
            names.append(node.field)
            node = node.operand
        if not isinstance(node, tree.Name) or node.name in self.scope or node.name in self.variables:
            return ""
        return ".".join((node.name, *reversed(names)))

    def field_type(self, operand: Type, node: tree.Select | tree.Presence) -> Type:
        if operand.name == "optional_type":
            operand = operand.of[0]
        if operand.fields is not None:
            kind = operand.fields.get(node.field)
            if kind is None:
                raise CelError(f"undefined field '{node.field}'", node.at)
            return kind
        match operand.name:
            case "dyn":
                return DYN
            case "map":
                return operand.of[1]
            case name if name.isupper():
                return DYN
            case _:
                raise CelError(f"type '{operand}' does not support field selection", node.at)

    def presence(self, node: tree.Presence) -> Code:
        operand = self.code(node.operand)
        self.field_type(operand.type, node)
        return self.call(node.at, "presence", BOOL, operand, before=repr(node.field))

    def index(self, node: tree.Index) -> Code:
        operand, key = self.code(node.operand), self.code(node.key)
        optional = operand.type.name == "optional_type"
        held = operand.type.of[0] if optional else operand.type
        match held.name:
            case "list" if fits(key.type, INT, {}):
                kind = held.of[0]
            case "map" if fits(key.type, held.of[0], {}):
                kind = held.of[1]
            case name if name == "dyn" or name.isupper():
                kind = DYN
            case _:
                raise self.no_overload("_[_]", node.at, (operand, key), False)
        if node.optional or optional:
            # Of what is not known the checker of cel-go cannot choose between lists and maps: it says dyn.
            vague = held.name == "dyn" and (not optional or fits(key.type, INT, {}))
            return self.call(node.at, "optional_index", DYN if vague else optional_of(kind), operand, key)
        if not self.careful and isinstance(node.key, tree.Literal) and isinstance(node.key.value, str):
            return self.made(f"{operand.text}[{key.text}]", kind, operand)
        return self.call(node.at, "index", kind, operand, key)

    def logic(self, node: tree.Logic) -> Code:
        operands = [(operand, self.test(operand)) for operand in node.operands]
        parts = [code for _, code in operands]
        if self.careful:
            run = "conjunction" if node.every else "disjunction"
            texts = ", ".join(f"lambda: {code.text}" for code in parts)
            return self.made(f"placed({node.at}, {run}, {texts})", BOOL, *parts)
        return self.made(
            "(" + (" and " if node.every else " or ").join([code.text for code in parts]) + ")", BOOL, *parts
        )

    def conditional(self, node: tree.Conditional) -> Code:
        test, then, other = self.code(node.test), self.code(node.then), self.code(node.other)
        kind = joined(then.type, other.type)
        if kind is None or not fits(test.type, BOOL, {}):
            raise self.no_overload("_?_:_", node.at, (test, then, other), False)
        tested = self.tested(node.test, test)
        return self.made(f"({then.text} if {tested.text} else {other.text})", kind, tested, then, other)

    def list_of(self, node: tree.ListOf) -> Code:
        items, kind = [], Type("T")
        for item in node.items:
            code = self.code(item.value)
            kind = self.uniform(kind, self.element(code.type, item.optional, item.value.at), item.value.at)
            items.append((item.optional, code))
        codes = [code for _, code in items]
        if any(optional for optional, _ in items):
            text = ", ".join(f"({optional}, {code.text})" for optional, code in items)
            return self.made(f"list_from({text})", list_of(kind), *codes)
        return self.made("[" + ", ".join([code.text for code in codes]) + "]", list_of(kind), *codes)

    def element(self, kind: Type, optional: bool, at: int) -> Type:
        """Return the type of an element or a value; one that may be absent has to be an optional."""
        if not optional or kind == DYN:
            return kind
        if kind.name != "optional_type":
            raise CelError(f"expected type 'optional_type({kind})' but found '{kind}'", at)
        return kind.of[0]

    def uniform(self, before: Type, kind: Type, at: int) -> Type:
        if self.mixed:
            return kind if before.name.isupper() else joined(before, kind) or DYN
        if not alike(before, kind):
            raise CelError(f"expected type '{before}' but found '{kind}'", at)
        return kind if before.name.isupper() else joined(before, kind) or before

    def map_of(self, node: tree.MapOf) -> Code:
        entries, key_kind, value_kind = [], Type("K"), Type("V")
        for entry in node.entries:
            key, value = self.code(entry.key), self.code(entry.value)
            key_kind = self.uniform(key_kind, key.type, entry.key.at)
            found = self.element(value.type, entry.optional, entry.value.at)
            value_kind = self.uniform(value_kind, found, entry.value.at)
            entries.append((entry, key, value))
        codes = [code for _, key, value in entries for code in (key, value)]
        kind = map_of(key_kind, value_kind)
        if all(
            isinstance(entry.key, tree.Literal) and key.type == STRING and not entry.optional
            for entry, key, _ in entries
        ):
            return self.made(
                "{" + ", ".join([f"{key.text}: {value.text}" for _, key, value in entries]) + "}", kind, *codes
            )
        text = ", ".join([f"({entry.optional}, {key.text}, {value.text})" for entry, key, value in entries])
        if self.careful:
            return self.made(f"placed({node.at}, map_from, {text})", kind, *codes)
        return self.made(f"map_from({text})", kind, *codes)

    def function(self, node: tree.Call) -> Code:
        qualified = self.qualified(node.receiver) if node.receiver is not None else ""
        named = f"{qualified}.{node.name}"
        if qualified and named in self.environment.functions:
            return self.called(node, self.environment.functions[named], node.arguments, method=False)
        function = self.environment.functions.get(node.name)
        if function is None:
            if node.receiver is not None:
                self.code(node.receiver)
            raise self.undeclared(node.name, node.at)
        if node.receiver is None:
            return self.called(node, function, node.arguments, method=False)
        return self.called(node, function, (node.receiver, *node.arguments), method=True)

    def called(
        self, node: tree.Call, function: Function, given: tuple[tree.Node, ...], *, method: bool
    ) -> Code:
        codes = self.arguments(node, given)
        kind = function.result(tuple([code.type for code in codes]), method)
        if kind is None:
            raise self.no_overload(node.name, node.at, codes, method)
        if function.literal is not None:
            self.check_literal(function, given[-1])
        inline = None if self.careful else self.inlined(node.name, given, codes)
        if inline is not None:
            return self.made(inline, kind, *codes)
        if node.name in METERED:
            return self.call(node.at, METERED[node.name], kind, *codes, metered=True)
        if node.name in PLAIN:
            return self.call(node.at, PLAIN[node.name], kind, *codes)
        if method and node.name in LAZY:
            run = self.constant(LAZY[node.name] if self.environment is KUBERNETES else LENIENTLY[node.name])
            other = Code(f"lambda: {codes[1].text}", DYN, codes[1].depth)
            return self.call(node.at, run, kind, codes[0], other)
        run = self.constant(function.caller(method, len(codes)))
        return self.call(node.at, run, kind, *codes, metered=True)

    def arguments(self, node: tree.Call, given: tuple[tree.Node, ...]) -> tuple[Code, ...]:
        """Compile arguments; those of `format`, and only those, may be lists of anything."""
        before, self.mixed = self.mixed, self.mixed or node.name == "format"
        try:
            if node.name == "format":
                self.check_format(given)
            return tuple([self.code(argument) for argument in given])
        finally:
            self.mixed = before

    def check_format(self, given: tuple[tree.Node, ...]) -> None:
        match given:
            case (tree.Literal(_, str() as text), tree.ListOf(at, items)):
                try:
                    wanted = clauses(text)
                except CelError as error:
                    raise CelError(error.message, given[0].at) from None
                if wanted > len(items):
                    raise CelError(f"index {len(items)} out of range", at)
                if wanted < len(items):
                    raise CelError(
                        f"too many arguments supplied to string.format (expected {wanted}, got {len(items)})",
                        at,
                    )
            case _:
                pass

    def inlined(self, name: str, given: tuple[tree.Node, ...], codes: tuple[Code, ...]) -> str | None:
        """Return what Python does by itself and means the same, None where it would not."""
        if name == "!_" and codes[0].type == BOOL:
            return f"(not {codes[0].text})"
        if name == "@in" and isinstance(given[1], tree.ListOf) and given[1].items and _texts(given[1]):
            return f"({codes[0].text} in ({codes[1].text[1:-1]},))"
        if name not in SIGNS:
            return None
        one, other = codes
        kinds = {one.type, other.type}
        if name in ("_==_", "_!=_"):
            if NULL in kinds or (BOOL in kinds and _literal(given)):
                return f"({one.text} {'is' if name == '_==_' else 'is not'} {other.text})"
            if STRING in kinds or BYTES in kinds or (len(kinds) == 1 and kinds <= SCALARS):
                return f"({one.text} {SIGNS[name]} {other.text})"
        elif len(kinds) == 1 and kinds <= {INT, STRING, UINT}:
            return f"({one.text} {SIGNS[name]} {other.text})"
        return None

    def check_literal(self, function: Function, argument: tree.Node) -> None:
        """Refuse a pattern or a time that is written out and is none."""
        assert function.literal is not None
        if isinstance(argument, tree.Literal) and isinstance(argument.value, str):
            try:
                function.literal(argument.value)
            except CelError:
                raise CelError(f"invalid {function.name} argument", argument.at) from None


def _texts(node: tree.ListOf) -> bool:
    return all(
        isinstance(item.value, tree.Literal) and isinstance(item.value.value, str) for item in node.items
    )


def _literal(given: tuple[tree.Node, ...]) -> bool:
    return any(isinstance(node, tree.Literal) for node in given)
