"""Refuse what cannot fit before anything is evaluated, as expr-lang's type checker does.

Not a convenience: it decides verdicts. `len(result) == 0 or result > 0.9` on an empty vector is an error
although the first half is true, since a vector can never be greater than a number.
"""

from collections.abc import Mapping
from typing import Final, assert_never

from davy.analysis.expression import syntax
from davy.analysis.expression.builtins import BUILTINS, METHODS, PREDICATES, MethodKey
from davy.analysis.expression.faults import Fault
from davy.analysis.expression.kinds import (
    ARRAY,
    BOOL,
    BYTES,
    DURATION,
    FLOAT,
    FUNCTION,
    INT,
    INTS,
    MAP,
    NIL,
    NUMBERS,
    STRING,
    TIME,
    UNKNOWN,
    Kind,
    Signature,
    array_of,
    is_array,
    is_map,
    kind_of,
)
from davy.analysis.expression.meter import Meter
from davy.analysis.expression.patterns import matches

# What each operator takes on its two sides, and the kind of what it gives; numbers are added below.
_JOINS: Final[Mapping[str, Mapping[tuple[Kind, Kind], Kind]]] = {
    "+": {
        (STRING, STRING): STRING,
        (DURATION, DURATION): DURATION,
        (TIME, DURATION): TIME,
        (DURATION, TIME): TIME,
    },
    "-": {(DURATION, DURATION): DURATION, (TIME, TIME): DURATION, (TIME, DURATION): TIME},
    "*": {
        (DURATION, DURATION): DURATION,
        (DURATION, INT): DURATION,
        (INT, DURATION): DURATION,
        (DURATION, FLOAT): FLOAT,
        (FLOAT, DURATION): FLOAT,
    },
    "/": {},
    "**": {},
    "%": {(INT, INT): INT},
    "<": {(STRING, STRING): BOOL, (TIME, TIME): BOOL, (DURATION, DURATION): BOOL},
    "..": {(INT, INT): INTS},
    "and": {(BOOL, BOOL): BOOL},
    "or": {(BOOL, BOOL): BOOL},
    "contains": {(STRING, STRING): BOOL},
    "matches": {(STRING, STRING): BOOL, (BYTES, STRING): BOOL},
}
_NUMERIC: Final = frozenset({"+", "-", "*", "/", "**", "<"})
_LIKE_LESS: Final = {"<=": "<", ">": "<", ">=": "<", "startsWith": "contains", "endsWith": "contains"}
# What an operator gives whatever it takes.
_ALWAYS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(("<", "and", "or", "contains", "matches"), BOOL),
    **dict.fromkeys(("/", "**"), FLOAT),
    "..": INTS,
}


class Checker:
    """Walk a tree once, with what is known of its variables: a kind, or the signature of a function."""

    def __init__(self, variables: Mapping[str, Kind | Signature]) -> None:
        self._variables = variables
        self._locals: dict[str, Kind] = {}
        self._elements: list[Kind] = []

    def check(self, node: syntax.Node) -> Kind:
        """Return the kind of the node; raise `Fault` with the place of what cannot fit."""
        try:
            return self._kind(node)
        except Fault as fault:
            raise fault.at(node.position) from None

    def _kind(self, node: syntax.Node) -> Kind:
        match node:
            case syntax.Constant():
                return kind_of(node.value)
            case syntax.Name():
                return MAP if node.name == "$env" else self._variable(node.name)
            case syntax.Local():
                return self._locals[node.name]
            case syntax.Pointer():
                return INT if node.name == "index" else UNKNOWN if node.name == "acc" else self._elements[-1]
            case syntax.Unary():
                return self._unary(node)
            case syntax.Binary():
                return self._binary(node)
            case syntax.Between():
                return self._between(node)
            case syntax.Conditional():
                return self._conditional(node)
            case syntax.Member():
                return self._member(node)
            case syntax.Chain() | syntax.Predicate():
                return self.check(node.body)
            case syntax.Slice():
                return self._slice(node)
            case syntax.Call():
                return self._call(node)
            case syntax.Method():
                return self._method(node)
            case syntax.Builtin():
                return self._builtin(node)
            case syntax.Let():
                return self._let(node)
            case syntax.Sequence():
                return [self.check(item) for item in node.items][-1]
            case syntax.Array():
                return self._array(node)
            case syntax.Map():
                return self._map(node)
            case _:
                assert_never(node)

    def _variable(self, name: str) -> Kind:
        known = self._variables[name]
        return FUNCTION if isinstance(known, Signature) else known

    def _unary(self, node: syntax.Unary) -> Kind:
        kind = self.check(node.operand)
        fits = kind is BOOL if node.operator == "not" else kind in NUMBERS
        if not fits and kind is not UNKNOWN:
            raise Fault(f"invalid operation: {node.operator} (mismatched type {kind})")
        return kind if fits else BOOL if node.operator == "not" else UNKNOWN

    def _binary(self, node: syntax.Binary) -> Kind:
        left, right = self.check(node.left), self.check(node.right)
        match node.operator:
            case "==" | "!=":
                if not _comparable(left, right):
                    raise _refusal(node.operator, left, right)
                return BOOL
            case "in":
                return self._contained(left, right)
            case "??":
                return right if left is NIL else left if right is NIL or left is right else UNKNOWN
        kind = joined(node.operator, left, right)
        if node.operator == "matches" and isinstance(node.right, syntax.Constant):
            # A pattern that is written down is wrong or right whatever it meets.
            matches("", node.right.value, Meter(1), constant=True)
        return kind

    def _contained(self, item: Kind, container: Kind) -> Kind:
        if is_map(container):
            if container.key is STRING and item not in (STRING, UNKNOWN):
                raise Fault(f"cannot use {item} as type string in map key")
            return BOOL
        if is_array(container):
            if not _comparable(item, container.element or UNKNOWN):
                raise Fault(f"cannot use {item} as type {container.element} in array")
            return BOOL
        if container is not UNKNOWN:
            raise _refusal("in", item, container)
        return BOOL

    def _between(self, node: syntax.Between) -> Kind:
        left = self.check(node.first)
        for position, operator, operand in node.links:
            right = self.check(operand)
            try:
                joined(operator, left, right)
            except Fault as fault:
                raise fault.at(position) from None
            left = right
        return BOOL

    def _conditional(self, node: syntax.Conditional) -> Kind:
        test = self.check(node.test)
        if test not in (BOOL, UNKNOWN):
            raise Fault(f"non-bool expression (type {test}) used as condition")
        yes = test if node.yes is None else self.check(node.yes)
        no = self.check(node.no)
        if yes is NIL or no is NIL:
            return no if yes is NIL else yes
        return yes if yes is no else UNKNOWN

    def _member(self, node: syntax.Member) -> Kind:
        base, key = self.check(node.base), node.key
        wanted = self.check(key)
        if isinstance(node.base, syntax.Name) and node.base.name == "$env" and isinstance(key, syntax.Constant):
            return self._environment(str(key.value), optional=node.optional)
        if base is UNKNOWN:
            return UNKNOWN
        if is_map(base):
            if base.key is STRING and wanted not in (STRING, UNKNOWN):
                raise Fault(f"cannot use {wanted} to get an element from {base}")
            return base.element or UNKNOWN
        if is_array(base):
            if wanted not in (INT, UNKNOWN):
                raise Fault(f"array elements can only be selected using an integer (got {wanted})")
            return base.element or UNKNOWN
        name = key.value if isinstance(key, syntax.Constant) and isinstance(key.value, str) else f"[{wanted}]"
        raise Fault(f"type {'nil' if base is NIL else base} has no field {name}")

    def _environment(self, name: str, *, optional: bool) -> Kind:
        if name not in self._variables and not optional:
            raise Fault(f"unknown name {name}")
        return self._variable(name) if name in self._variables else UNKNOWN

    def _slice(self, node: syntax.Slice) -> Kind:
        base = self.check(node.base)
        if not (is_array(base) or base in (STRING, UNKNOWN)):
            raise Fault(f"cannot slice {base}")
        for bound in (node.start, node.stop):
            kind = UNKNOWN if bound is None else self.check(bound)
            if base is not UNKNOWN and kind not in (INT, UNKNOWN):
                raise Fault(f"non-integer slice index {kind}")
        return base

    def _call(self, node: syntax.Call) -> Kind:
        function = self._variables[node.name]
        if not isinstance(function, Signature):
            raise Fault(f"{function} is not callable")
        if len(node.arguments) != len(function.parameters):
            many = "too many" if len(node.arguments) > len(function.parameters) else "not enough"
            raise Fault(f"{many} arguments to call {node.name}")
        for argument, parameter in zip(node.arguments, function.parameters, strict=True):
            kind = self.check(argument)
            # Go turns an integer constant into a float where one is wanted.
            fits = kind is parameter or (kind is INT and parameter is FLOAT)
            if not fits and UNKNOWN not in (kind, parameter):
                shown = "nil" if kind is NIL else kind
                raise Fault(f"cannot use {shown} as argument (type {parameter}) to call {node.name}").at(
                    argument.position
                )
        return function.returns

    def _method(self, node: syntax.Method) -> Kind:
        base = self.check(node.base)
        kinds = tuple(self.check(argument) for argument in node.arguments)
        if base is UNKNOWN or is_map(base):
            return UNKNOWN
        method = METHODS.get(MethodKey(base, node.name))
        if method is None:
            raise Fault(f"type {'nil' if base is NIL else base} has no method {node.name}")
        if not method.accepts(len(kinds)):
            raise Fault(f"{node.name} takes {method.arity}, not {len(kinds)}")
        return method.check(kinds)

    def _builtin(self, node: syntax.Builtin) -> Kind:
        if node.name in PREDICATES:
            return self._predicate(node)
        return BUILTINS[node.name].check(tuple(self.check(argument) for argument in node.arguments))

    def _predicate(self, node: syntax.Builtin) -> Kind:
        builtin = PREDICATES[node.name]
        array, *rest = node.arguments
        kind = self.check(array)
        if not (is_array(kind) or kind is UNKNOWN):
            raise Fault(f"builtin {node.name} takes only array (got {kind})").at(array.position)
        element = kind.element or UNKNOWN
        given = element
        if rest:
            self._elements.append(element)
            given = self.check(rest[0])
            self._elements.pop()
            if given is NIL or (builtin.boolean and given not in (BOOL, UNKNOWN)):
                shown = "nil" if given is NIL else given
                wanted = "boolean" if builtin.boolean else "a value"
                raise Fault(f"predicate should return {wanted} (got {shown})").at(rest[0].position)
        for last in rest[1:]:
            if self.check(last) not in (STRING, UNKNOWN) and node.name == "sortBy":
                raise Fault("sortBy order argument must be a string").at(last.position)
        return builtin.returns(kind, given)

    def _let(self, node: syntax.Let) -> Kind:
        self._locals[node.name] = self.check(node.value)
        kind = self.check(node.body)
        del self._locals[node.name]
        return kind

    def _array(self, node: syntax.Array) -> Kind:
        kinds = {self.check(item) for item in node.items}
        return array_of(kinds.pop()) if len(kinds) == 1 else ARRAY

    def _map(self, node: syntax.Map) -> Kind:
        for key, value in node.pairs:
            self.check(key)
            self.check(value)
        return MAP


def joined(operator: str, left: Kind, right: Kind) -> Kind:
    """Return the kind of what the operator makes of two sides; raise `Fault` where it takes no such sides."""
    row = _LIKE_LESS.get(operator, operator)
    pairs = _JOINS[row]
    numeric = row in _NUMERIC
    if numeric and left in NUMBERS and right in NUMBERS:
        return _ALWAYS.get(row, INT if left is right is INT else FLOAT)
    if (left, right) in pairs:
        return pairs[left, right]
    known = right if left is UNKNOWN else left
    fits = known is UNKNOWN or (numeric and known in NUMBERS) or any(known in pair for pair in pairs)
    if fits and UNKNOWN in (left, right):
        return _ALWAYS.get(row, UNKNOWN)
    raise _refusal(operator, left, right)


def _comparable(left: Kind, right: Kind) -> bool:
    if left is right or NIL in (left, right) or UNKNOWN in (left, right):
        return True
    if left in NUMBERS and right in NUMBERS:
        return True
    return (is_array(left) and is_array(right)) or (is_map(left) and is_map(right))


def _refusal(operator: str, left: Kind, right: Kind) -> Fault:
    return Fault(f"invalid operation: {operator} (mismatched types {left} and {right})")
