"""Bodies as Python: their steps in the order in which they run."""

from collections.abc import Callable
from typing import assert_never

from davy.policy.rego.builtins import REFUSED
from davy.policy.rego.emit_terms import Names, TermWriter
from davy.policy.rego.errors import BadRego, Place
from davy.policy.rego.lower import PRINT, TEMPLATE
from davy.policy.rego.lowered import Block, ForAll, Invoke, Overrides, Step, Test, Unify
from davy.policy.rego.runtime import LARGE, SIZED
from davy.policy.rego.safety import bare, ordered, variables
from davy.policy.rego.terms import Array, Collect, Literal, Object, Ref, SetOf, Term, Var
from davy.policy.rego.tree import Document, Node

ANSWERS = frozenset({"equal", "neq", "lt", "lte", "gt", "gte", "internal.member_2", "internal.member_3"})
"""Operators that are written out, and always say true or false."""

INLINE = {
    "equal": "equal({},{})",
    "neq": "(not equal({},{}))",
    "lt": "less({},{})",
    "lte": "less_equal({},{})",
    "gt": "less({1},{0})",
    "gte": "less_equal({1},{0})",
    "internal.member_2": "member({},{})",
    "internal.member_3": "member_pair({},{},{})",
    "internal.template_string": "template({})",
    "is_array": "(type({}) is list)",
    "is_boolean": "(type({}) is bool)",
    "is_null": "(type({}) is type(None))",
    "is_number": "(type({0}) is int or type({0}) is float)",
    "is_object": "(type({}) is dict)",
    "is_set": "(type({}) is RegoSet)",
    "is_string": "(type({}) is str)",
}

NUMERIC = frozenset({"plus", "minus", "mul", "div", "rem", "bits.lsh", "bits.or", "bits.xor", "bits.negate",
                     "abs", "ceil", "floor", "round", "sum", "product", "to_number"})  # fmt: skip
"""Builtins whose numbers can become long."""

COSTS = {
    **dict.fromkeys(("io.jwt.encode_sign", "io.jwt.encode_sign_raw"), 20_000),
    **dict.fromkeys(("crypto.x509.parse_keypair", "crypto.x509.parse_rsa_private_key"), 20_000),
    **dict.fromkeys(("crypto.parse_private_keys", "crypto.x509.parse_certificate_request"), 20_000),
    **dict.fromkeys(("crypto.x509.parse_certificates", "crypto.x509.parse_and_verify_certificates"), 20_000),
    "crypto.x509.parse_and_verify_certificates_with_options": 20_000,
    "io.jwt.decode_verify": 5_000,
    **{f"io.jwt.verify_{family}{size}": 5_000 for family in ("rs", "ps", "es") for size in (256, 384, 512)},
    "io.jwt.verify_eddsa": 5_000,
}
"""Steps that a call costs: arithmetic over keys takes a thousand times as long as a look into an object."""

READ = {"json.unmarshal": 2, "json.is_valid": 2, "yaml.unmarshal": 512, "yaml.is_valid": 512}
"""Builtins that read documents, with what a letter costs them, in 64ths of a step."""

CONSTANT = frozenset({"count", "object.get", "type_name"})
"""Builtins that do not look through what they are given."""

KINDS = frozenset(name for name in INLINE if name.startswith("is_"))

ARITIES = {"internal.member_3": 3, "internal.template_string": 1, **dict.fromkeys(KINDS, 1)}

SINGLE = frozenset({"None", "True", "False"})
"""What there is once in Python, so that it is the same or it is not."""

NEVER_LARGE = frozenset({"count", "object.get", "startswith", "endswith", "contains", "regex.match"})
"""Builtins that are often called and never make something whose size would count."""


class StepWriter(TermWriter):
    """Writes bodies."""

    # Bodies

    def block(self, block: Block, names: Names, place: Place) -> Names:
        """Write the steps of a body in a loop that goes round once; whoever calls goes back to where it was."""
        inner = dict(names)
        self.into("for _ in ONCE:", place, block=True)
        for step in ordered(block, inner.keys()):
            self.step(step, inner)
        return inner

    def leave(self, flag: str, depth: int) -> None:
        """Write how to end all loops of a body at the first answer."""
        self.write("break")
        while self.depth > depth + 2:
            self.depth -= 1
            self.write(f"if {flag}: break")

    def scoped(self, write: Callable[[], None]) -> None:
        """Write something and go back to where it began."""
        depth, blocks, evaluation = self.depth, self.blocks, self.evaluation
        write()
        self.depth, self.blocks, self.evaluation = depth, blocks, evaluation

    # Steps

    def step(self, step: Step, names: Names) -> None:
        """Write one step."""
        outside = self.evaluation
        self.evaluation = self.overridden(step.overrides, names)
        match step:
            case Test():
                self.test(step, names)
            case Unify(negated=True):
                self.different(step.left, step.right, names, step.place)
            case Unify():
                self.unify(step.left, step.right, names, step.place)
            case Invoke(function=("equal",), output=None):
                self.equation(step, names)
            case Invoke():
                self.invoke(step, names)
            case ForAll():
                self.for_all(step, names)
            case _:
                assert_never(step)
        self.evaluation = outside

    def equation(self, step: Invoke, names: Names) -> None:
        """Write `==`, which is `=` once everything has a value."""
        self.check_arity(step, 2)
        left, right = step.arguments
        if step.negated:
            self.different(left, right, names, step.place)
        else:
            self.unify(left, right, names, step.place)

    def test(self, step: Test, names: Names) -> None:
        """Write a term that has to hold."""
        if not step.negated:
            self.holds(self.value(step.term, names))
            return
        term = self.outside(step.term, names)

        def inner() -> None:
            self.holds(self.value(term, dict(names)))

        self.unless(inner, step.place)

    def holds(self, value: str) -> None:
        """Write that a value must not be false; a literal is looked at here."""
        if value.isidentifier() and value not in ("True", "None"):
            self.write(f"if {value} is False: continue")

    def outside(self, term: Term, names: Names) -> Term:
        """Write what OPA takes out of a negation: everything but the outermost reference."""
        if isinstance(term, Ref):
            operands = tuple(self.settled(operand, names) for operand in term.operands)
            head = term.head if isinstance(term.head, Var) else self.settled(term.head, names)
            return Ref(head, operands, term.place)
        return term if isinstance(term, Collect) else self.settled(term, names)

    def unless(self, inner: Callable[[], None], place: Place) -> None:
        """Write that something must not hold."""
        flag = self.fresh()
        self.write(f"{flag}=False")

        def write() -> None:
            self.into("for _ in ONCE:", place, block=True)
            depth = self.depth - 1
            inner()
            self.write(f"{flag}=True")
            self.leave(flag, depth)

        self.scoped(write)
        self.write(f"if {flag}: continue")

    def different(self, left: Term, right: Term, names: Names, place: Place) -> None:
        """Write `not left = right`."""
        sides = self.outside(left, names), self.outside(right, names)
        self.unless(lambda: self.unify(*sides, dict(names), place), place)

    # Equations

    def unify(self, left: Term, right: Term, names: Names, place: Place) -> None:
        """Write an equation: what has a value is compared, what has none gets one."""
        if not isinstance(left, Ref | Collect):
            left = self.settled(left, names)
        if not isinstance(right, Ref | Collect):
            right = self.settled(right, names)
        todo = [(left, right)]
        while todo:
            at = next((at for at, pair in enumerate(todo) if self.solvable(*pair, names)), 0)
            pair = todo.pop(at)
            todo[at:at] = self.solve(*pair, names)

    def solvable(self, left: Term, right: Term, names: Names) -> bool:
        """Whether one side has a value, or both can be taken apart."""
        if type(left) is type(right) and isinstance(left, Array | Object):
            return True
        return self.valued(left, names) or self.valued(right, names)

    def valued(self, term: Term, names: Names) -> bool:
        """Whether a term has a value: what is unknown in the brackets of a reference is gone through."""
        if isinstance(term, Ref):
            return (
                not isinstance(term.head, Var) or term.head.name in ("input", "data") or term.head.name in names
            )
        return all(name in names for name in variables(term))

    def solve(self, left: Term, right: Term, names: Names) -> list[tuple[Term, Term]]:
        """Write one equation, or return those that it comes to."""
        match left, right:
            case Array(items), Array(others):
                if len(items) != len(others):
                    self.write("if True: continue")
                    return []
                return list(zip(items, others, strict=True))
            case Object(pairs), Object(others) if not (self.valued(left, names) or self.valued(right, names)):
                there = {bare(key): value for key, value in others}
                return [(value, there[bare(key)]) for key, value in pairs]
            case _:
                pass
        if (isinstance(left, Ref | Collect) and self.valued(left, names)) or not self.valued(right, names):
            first, second = left, right
        elif isinstance(right, Ref | Collect) or not self.valued(left, names):
            first, second = right, left
        else:
            first, second = left, right
        if isinstance(first, Literal) and self.valued(second, names):
            first, second = second, first
        found = self.value(first, names)
        self.match(second, found, names)
        return []

    # Calls

    def invoke(self, step: Invoke, names: Names) -> None:
        """Write a call."""
        name = ".".join(step.function)
        arguments = [self.argument(argument, names) for argument in step.arguments]
        document = self.function(step)
        if document is not None:
            self.depends(document, step.place)
            self.check_arity(step, document.arity)
            self.user_call(step, document, arguments, names)
        elif step.function == PRINT:
            self.write(f"said({self.evaluation},{arguments[0]})")
        elif name in INLINE and name not in self.mocked:
            self.check_arity(step, ARITIES.get(name, 2))
            if step.function[0] == "internal":
                self.charged(name, arguments[-1:])
            self.use(step, inlined(name, arguments), names, sure=name in ANSWERS or name in KINDS)
        else:
            self.builtin_call(step, name, arguments, names)

    def argument(self, term: Term, names: Names) -> str:
        """Write an argument; a collection that is written out in a call is gone after it, and costs nothing."""
        if isinstance(term, Array | Object | SetOf):
            return self.composite(term, names, kept=False)
        return self.value(term, names)

    def function(self, step: Invoke) -> Document | None:
        """Find the function that a path means among the rules."""
        if step.function[0] != "data":
            return None
        node: Node | None = self.tree
        for part in step.function[1:]:
            node = node.children.get(part) if node is not None else None
        if node is None or node.document is None or node.document.kind != "function":
            raise BadRego("rego_type_error", f"undefined function {'.'.join(step.function)}", step.place)
        return node.document

    def user_call(self, step: Invoke, document: Document, arguments: list[str], names: Names) -> None:
        """Write the call of a rule with arguments; a builtin may stand in its place."""
        name, value = document.name, self.fresh()
        if name not in self.mocked:
            self.write(f"{value}=r{document.number}({','.join([self.evaluation, *arguments])})")
        else:
            given = ",".join([self.evaluation, repr(name), f"r{document.number}", *arguments])
            self.write(f"try: {value}=mocked({given})")
            self.write(f"except BuiltinError: {value}=U")
        self.accept(step, value, names, maybe=True)

    def builtin_call(self, step: Invoke, name: str, arguments: list[str], names: Names) -> None:
        """Write the call of a builtin; where it cannot answer, the call is undefined."""
        found = self.builtins.get(name)
        if found is None:
            raise self.unknown(name, step.place)
        function = f"b_{name.replace('.', '_')}"
        self.check_arity(step, found.arity)
        given = ",".join(arguments)
        if name in self.mocked:
            mock = f"m_{name.replace('.', '_')}"
            call = f"mocked({','.join([self.evaluation, repr(name), mock, *arguments])})"
        elif found.contextual:
            call = f"{function}({self.evaluation}.builtin{',' + given if given else ''})"
        else:
            call = f"{function}({given})"
        value = self.fresh()
        self.charged(name, arguments)
        if found.relation and step.negated and name not in self.mocked:
            output = "None" if step.output is None else self.value(step.output, names)
            test = "True" if step.output is None else f"equal({value},{output})"
            self.write(f"if any([{test} for {value} in turns({self.evaluation},{call})]): continue")
            return
        if found.relation and name not in self.mocked:
            self.into(f"for {value} in turns({self.evaluation},{call}):", step.place, block=True)
            self.accept(step, value, names, maybe=False)
            return
        self.write(f"try: {value}={call}")
        if step.negated:
            self.write(f"except BuiltinError: {value}=U")
        else:
            self.write("except BuiltinError: continue")
            if name in NUMERIC:
                self.write(
                    f"if type({value}) is not int or not -HUGE<{value}<HUGE: grown({self.evaluation},{value})"
                )
            elif name not in NEVER_LARGE or name in self.mocked:
                self.write(f"if type({value}) in SIZED: grown({self.evaluation},{value})")
        self.accept(step, value, names, maybe=name in self.mocked or step.negated)

    def charged(self, name: str, arguments: list[str]) -> None:
        """Write what a call costs beside the turn of the loop that it is in."""
        if cost := COSTS.get(name):
            self.write(f"{self.evaluation}.budget.spend({cost})")
        if name in CONSTANT:
            return
        if name in READ:
            self.write(f"readable({self.evaluation},{arguments[0]},{READ[name]})")
        for argument in arguments:
            if argument.isidentifier() and argument not in self.small and not self.known_small(argument):
                large = f"type({argument}) in SIZED and len({argument})>LARGE"
                self.write(f"if {large}: laboured({self.evaluation},{argument})")

    def known_small(self, argument: str) -> bool:
        """Whether an argument is a constant collection that is not large."""
        value = self.constants.get(argument)
        return type(value) in SIZED and len(value) <= LARGE  # type: ignore[arg-type]

    def unknown(self, name: str, place: Place) -> BadRego:
        """Make the error of a function that is not there."""
        if name in REFUSED:
            return BadRego("rego_type_error", f"{name} is refused: {REFUSED[name]}", place)
        return BadRego("rego_type_error", f"undefined function {name}", place)

    def check_arity(self, step: Invoke, arity: int) -> None:
        """Refuse a call with too many arguments or too few."""
        if len(step.arguments) != arity:
            name = ".".join(step.function)
            raise BadRego(
                "rego_type_error",
                f"{name}: arity mismatch: it takes {arity} arguments, and gets {len(step.arguments)}",
                step.place,
            )

    def use(self, step: Invoke, call: str, names: Names, *, sure: bool) -> None:
        """Write what is done with an answer that needs no name."""
        if sure and step.output is None:
            self.write(f"if {call}: continue" if step.negated else f"if not {call}: continue")
            return
        value = self.fresh()
        if step.function == TEMPLATE:
            self.write(f"try: {value}={call}")
            self.write("except BuiltinError: continue")
            self.write(f"grown({self.evaluation},{value})")
        else:
            self.write(f"{value}={call}")
        self.accept(step, value, names, maybe=False)

    def accept(self, step: Invoke, value: str, names: Names, *, maybe: bool) -> None:
        """Write what is done with an answer: it is an output, or has to hold."""
        if step.negated:
            if step.output is None:
                self.write(f"if {value} is not U and {value} is not False: continue")
            else:
                self.write(f"if {value} is not U and equal({value},{self.value(step.output, names)}): continue")
            return
        if maybe:
            also = f" or {value} is False" if step.output is None else ""
            self.write(f"if {value} is U{also}: continue")
        elif step.output is None:
            self.write(f"if {value} is False: continue")
        if step.output is not None:
            self.match(step.output, value, names)

    # Every

    def for_all(self, step: ForAll, names: Names) -> None:
        """Write `every`: the first thing for which the body does not hold ends it."""
        domain, flag = self.value(step.domain, names), self.fresh()
        self.write(f"{flag}=type({domain}) in COLLECTIONS")

        def write() -> None:
            self.into(f"if {flag}:", step.place)
            key, value = self.fresh(), self.fresh()
            self.into(f"for {key},{value} in items({self.evaluation},{domain}):", step.place, block=True)
            self.write(f"{flag}=False")
            inner = dict(names)
            inner[step.value.name] = value
            if step.key is not None:
                inner[step.key.name] = key

            def body() -> None:
                depth = self.depth
                self.block(step.body, inner, step.place)
                self.write(f"{flag}=True")
                self.leave(flag, depth)

            self.scoped(body)
            self.write(f"if not {flag}: break")

        self.scoped(write)
        self.write(f"if {flag}: continue" if step.negated else f"if not {flag}: continue")

    # With

    def overridden(self, overrides: Overrides, names: Names) -> str:
        """Write the evaluation that `with` asks for; steps that come of one statement share it."""
        if not overrides:
            return self.evaluation
        known = f"\0{id(overrides)}{self.evaluation}"
        if known not in names:
            values, mocks = [], []
            for given in overrides:
                match given.kind:
                    case "value":
                        value = self.value(given.value, names)
                        values.append(f"({given.target!r},{value},{self.pinned(given.target, given.place)!r})")
                    case "function":
                        mocks.append(f"{_named(given.target)!r}:{self.replacing(given.function, given.place)}")
                    case _:
                        value = self.value(given.value, names)
                        mocks.append(f"{_named(given.target)!r}:constantly({value})")
            name = self.fresh()
            self.write(f"{name}={self.evaluation}.replaced({self.listed(values)},{{{','.join(mocks)}}})")
            names[known] = name
        return names[known]

    def replacing(self, function: tuple[str, ...], place: Place) -> str:
        """Write the function that stands for another."""
        if function[0] == "data":
            step = Invoke(function, (), None, place, False, ())
            document = self.function(step)
            assert document is not None
            self.depends(document, place)
            return f"r{document.number}"
        self.used_as_mocks.add(".".join(function))
        return f"m_{'_'.join(function)}"

    def pinned(self, target: tuple[str, ...], place: Place) -> tuple[tuple[int, tuple[str, ...]], ...]:
        """List the documents that are replaced with a path."""
        if target[0] != "data":
            return ()
        node: Node | None = self.tree
        for part in target[1:]:
            node = node.children.get(part) if node is not None else None
            if node is not None and node.document is not None and len(target) > 1 + len(node.document.path):
                raise BadRego(
                    "rego_compile_error", "with keyword cannot partially replace virtual document(s)", place
                )
        if node is None:
            return ()
        return tuple((found.number, found.path) for found in node.documents() if found.kind != "function")


def _named(target: tuple[str, ...]) -> str:
    return ".".join(target)


def inlined(name: str, arguments: list[str]) -> str:
    """Write an operator; Python compares with a text that is written out, or with null, as Rego does."""
    if name in ("equal", "neq"):
        left, right = sorted(arguments, key=lambda argument: argument in SINGLE or argument[0] in "'\"")
        if right[0] in "'\"":
            return f"({left}{'==' if name == 'equal' else '!='}{right})"
        if right in SINGLE and left.isidentifier():
            return f"({left} is{'' if name == 'equal' else ' not'} {right})"
    return INLINE[name].format(*arguments)
