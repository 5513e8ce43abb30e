"""A tree made into Python functions, once; evaluating an expression calls the outermost one.

Each function takes the `Frame` of the evaluation. A node is paid for where its evaluation can be repeated: the
whole tree at the start, and a predicate's body for every element (`loops`).
"""

from collections.abc import Callable, Mapping
from typing import Final, assert_never

from davy.analysis.expression import loops, syntax
from davy.analysis.expression import values as v
from davy.analysis.expression.builtins import BUILTINS, METHODS, PREDICATES, MethodKey
from davy.analysis.expression.faults import Fault
from davy.analysis.expression.frame import Frame, Run
from davy.analysis.expression.kinds import Function, kind_of, type_name
from davy.analysis.expression.patterns import matches

Operation = Callable[[Frame, object, object], object]

# Stands for nil between a `?.` that met nil and the end of its chain.
_SKIPPED: Final = object()


def _text_operation(test: Callable[[str, str], bool], operator: str) -> Operation:
    def run(frame: Frame, left: object, right: object) -> object:
        if left is None or right is None:
            return False
        if not (isinstance(left, str) and isinstance(right, str)):
            raise v.mismatch(operator, left, right)
        frame.meter.spend_text(len(left))
        return test(left, right)

    return run


def _ordering(operator: str) -> Operation:
    order = v.ORDERS[operator]

    def run(frame: Frame, left: object, right: object) -> object:
        # The common case of a condition: a float against a float.
        return order(left, right) if type(left) is float is type(right) else v.ordered(operator, left, right)

    return run


_OPERATIONS: Final[Mapping[str, Operation]] = {
    "==": lambda frame, left, right: v.equal(left, right, frame.meter),
    "!=": lambda frame, left, right: not v.equal(left, right, frame.meter),
    "<": _ordering("<"),
    "<=": _ordering("<="),
    ">": _ordering(">"),
    ">=": _ordering(">="),
    "in": lambda frame, left, right: v.contained(left, right, frame.meter),
    "contains": _text_operation(lambda text, part: part in text, "contains"),
    "startsWith": _text_operation(lambda text, part: text.startswith(part), "startsWith"),
    "endsWith": _text_operation(lambda text, part: text.endswith(part), "endsWith"),
    "..": lambda frame, left, right: v.counted(left, right, frame.meter),
    "+": lambda frame, left, right: v.add(left, right, frame.meter),
    "-": lambda frame, left, right: v.subtract(left, right),
    "*": lambda frame, left, right: v.multiply(left, right),
    "/": lambda frame, left, right: v.divide(left, right),
    "%": lambda frame, left, right: v.remainder(left, right),
    "**": lambda frame, left, right: v.power(left, right),
}


def compile_tree(tree: syntax.Node) -> tuple[Run, int]:
    """Return the function that evaluates the tree, and how many locals its frame needs."""
    compiler = _Compiler()
    return compiler.compile(tree), compiler.most_locals


class _Compiler:
    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self.most_locals = 0

    def compile(self, node: syntax.Node) -> Run:
        match node:
            case syntax.Constant():
                value = node.value
                return lambda frame: value
            case syntax.Name():
                return _name(node.name)
            case syntax.Local():
                return self._local(node)
            case syntax.Pointer():
                return _pointer(node)
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
            case syntax.Chain():
                return _chain(self.compile(node.body))
            case syntax.Slice():
                return self._slice(node)
            case syntax.Call():
                return self._call(node)
            case syntax.Method():
                return self._method(node)
            case syntax.Builtin():
                return self._builtin(node)
            case syntax.Predicate():
                return self.compile(node.body)
            case syntax.Let():
                return self._let(node)
            case syntax.Sequence():
                return self._sequence(node)
            case syntax.Array():
                return self._array(node)
            case syntax.Map():
                return self._map(node)
            case _:
                assert_never(node)

    def _local(self, node: syntax.Local) -> Run:
        slot = self._slots[node.name]
        return lambda frame: frame.locals[slot]

    def _let(self, node: syntax.Let) -> Run:
        value = self.compile(node.value)
        slot = len(self._slots)
        self._slots[node.name] = slot
        self.most_locals = max(self.most_locals, slot + 1)
        body = self.compile(node.body)
        del self._slots[node.name]

        def run(frame: Frame) -> object:
            frame.locals[slot] = value(frame)
            return body(frame)

        return run

    def _sequence(self, node: syntax.Sequence) -> Run:
        items = [self.compile(item) for item in node.items]
        return lambda frame: [item(frame) for item in items][-1]

    # Operators

    def _unary(self, node: syntax.Unary) -> Run:
        operand, position, operator = self.compile(node.operand), node.position, node.operator

        def negation(frame: Frame) -> object:
            return not _truth(operand(frame), position)

        def sign(frame: Frame) -> object:
            value = operand(frame)
            try:
                return v.negate(value) if operator == "-" else value
            except Fault as fault:
                raise fault.at(position) from None

        return negation if operator == "not" else sign

    def _binary(self, node: syntax.Binary) -> Run:
        left, right, position = self.compile(node.left), self.compile(node.right), node.position
        match node.operator:
            case "and":
                return lambda frame: _truth(left(frame), position) and _truth(right(frame), position)
            case "or":
                return lambda frame: _truth(left(frame), position) or _truth(right(frame), position)
            case "??":
                return lambda frame: right(frame) if (value := left(frame)) is None else value
            case "in" if words := _words(node.right):
                return _placed(_among(words), left, right, position)
            case "matches":
                return _placed(
                    _matching(constant=isinstance(node.right, syntax.Constant)), left, right, position
                )
        return _placed(_OPERATIONS[node.operator], left, right, position)

    def _between(self, node: syntax.Between) -> Run:
        first = self.compile(node.first)
        links = [(position, operator, self.compile(operand)) for position, operator, operand in node.links]

        def run(frame: Frame) -> object:
            left = first(frame)
            for position, operator, operand in links:
                right = operand(frame)
                try:
                    if not v.ordered(operator, left, right):
                        return False
                except Fault as fault:
                    raise fault.at(position) from None
                left = right
            return True

        return run

    def _conditional(self, node: syntax.Conditional) -> Run:
        test, no, position = self.compile(node.test), self.compile(node.no), node.position
        if node.yes is None:
            return lambda frame: True if _truth(test(frame), position) else no(frame)
        yes = self.compile(node.yes)
        return lambda frame: yes(frame) if _truth(test(frame), position) else no(frame)

    # Access

    def _member(self, node: syntax.Member) -> Run:
        base, key = self.compile(node.base), self.compile(node.key)
        optional, position = node.optional, node.position

        def run(frame: Frame) -> object:
            container = base(frame)
            if container is _SKIPPED or (optional and container is None):
                return _SKIPPED
            wanted = key(frame)
            try:
                return v.fetch(container, wanted, frame.meter)
            except Fault as fault:
                raise fault.at(position) from None

        return run

    def _slice(self, node: syntax.Slice) -> Run:
        base, position = self.compile(node.base), node.position
        start = self.compile(node.start) if node.start else _nothing
        stop = self.compile(node.stop) if node.stop else _nothing
        bounded = (node.start is not None, node.stop is not None)

        def run(frame: Frame) -> object:
            container, first, last = base(frame), start(frame), stop(frame)
            try:
                if (bounded[0] and first is None) or (bounded[1] and last is None):
                    raise Fault("non-integer slice index nil")
                return v.sliced(container, first, last, frame.meter)
            except Fault as fault:
                raise fault.at(position) from None

        return run

    # Calls

    def _call(self, node: syntax.Call) -> Run:
        arguments, name, position = (
            [self.compile(argument) for argument in node.arguments],
            node.name,
            node.position,
        )

        def run(frame: Frame) -> object:
            function = frame.variables[name]
            assert isinstance(function, Function), "the checker has seen to it"
            given = [argument(frame) for argument in arguments]
            try:
                return function.call(*given)
            except Fault as fault:
                raise fault.at(position) from None

        return run

    def _method(self, node: syntax.Method) -> Run:
        base, arguments = self.compile(node.base), [self.compile(argument) for argument in node.arguments]
        name, position, optional = node.name, node.position, node.optional

        def run(frame: Frame) -> object:
            value = base(frame)
            if value is _SKIPPED or (optional and value is None):
                return _SKIPPED
            given = [argument(frame) for argument in arguments]
            try:
                return _call_method(frame, value, name, given)
            except Fault as fault:
                raise fault.at(position) from None

        return run

    def _builtin(self, node: syntax.Builtin) -> Run:
        arguments = [self.compile(argument) for argument in node.arguments]
        position = node.position
        if node.name in PREDICATES:
            costs = [sum(1 for _ in syntax.walk(argument)) for argument in node.arguments]
            return loops.loop(node.name, arguments, costs[1] if len(costs) > 1 else 1, position)
        call = BUILTINS[node.name].call

        def run(frame: Frame) -> object:
            given = [argument(frame) for argument in arguments]
            try:
                return call(frame.meter, *given)
            except Fault as fault:
                raise fault.at(position) from None

        return run

    # Literals

    def _array(self, node: syntax.Array) -> Run:
        items = [self.compile(item) for item in node.items]
        return lambda frame: [item(frame) for item in items]

    def _map(self, node: syntax.Map) -> Run:
        pairs = [(self.compile(key), key.position, self.compile(value)) for key, value in node.pairs]

        def run(frame: Frame) -> object:
            result: dict[object, object] = {}
            for key, position, value in pairs:
                name = key(frame)
                if not isinstance(name, str):
                    raise Fault(f"cannot use {type_name(name)} as a key of a map").at(position)
                # The first of two equal keys stays, as in expr-lang.
                result.setdefault(name, value(frame))
            return result

        return run


def _placed(operation: Operation, left: Run, right: Run, position: int) -> Run:
    def run(frame: Frame) -> object:
        one = left(frame)
        other = right(frame)
        try:
            return operation(frame, one, other)
        except Fault as fault:
            raise fault.at(position) from None

    return run


def _name(name: str) -> Run:
    if name == "$env":
        return lambda frame: frame.variables
    return lambda frame: frame.variables[name]


def _nothing(frame: Frame) -> object:
    return None


def _truth(value: object, position: int) -> bool:
    if value is True or value is False:
        return value
    raise Fault(f"expected bool, but got {type_name(value)}").at(position)


def _words(node: syntax.Node) -> frozenset[str]:
    """Return the items of an array that holds nothing but written strings; else nothing."""
    items = node.items if isinstance(node, syntax.Array) else ()
    words = [item.value for item in items if isinstance(item, syntax.Constant) and isinstance(item.value, str)]
    return frozenset(words) if len(words) == len(items) else frozenset()


def _among(words: frozenset[str]) -> Operation:
    """`status in ["500", "503"]`: a status that is a number is an error, and not just none of them."""

    def run(frame: Frame, item: object, _: object) -> object:
        if item is not None and not isinstance(item, str):
            raise Fault(f"cannot use {type_name(item)} as type string in array")
        return item in words

    return run


def _matching(*, constant: bool) -> Operation:
    return lambda frame, text, pattern: matches(text, pattern, frame.meter, constant=constant)


def _pointer(node: syntax.Pointer) -> Run:
    match node.name:
        case "index":
            return lambda frame: frame.index
        case "acc":
            return lambda frame: frame.gathered
    return lambda frame: frame.element


def _chain(body: Run) -> Run:
    return lambda frame: None if (value := body(frame)) is _SKIPPED else value


def _call_method(frame: Frame, value: object, name: str, given: list[object]) -> object:
    method = METHODS.get(MethodKey(kind_of(value), name))
    if method is None:
        found = v.fetch(value, name, frame.meter)
        raise Fault(f"invalid operation: cannot call {'nil' if found is None else kind_of(found)}")
    if not method.accepts(len(given)):
        raise Fault(f"{name} takes {method.arity}, not {len(given)}")
    return method.call(frame.meter, value, *given)
