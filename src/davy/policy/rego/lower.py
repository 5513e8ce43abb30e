"""From what is written to what is compiled: names are decided, calls are taken out of terms."""

from collections.abc import Callable, Mapping
from typing import assert_never

from davy.policy.rego.errors import BadRego, Place
from davy.policy.rego.lowered import (
    Alternative,
    Block,
    Definition,
    ForAll,
    Invoke,
    Override,
    Overrides,
    Step,
    Test,
    Unify,
)
from davy.policy.rego.scope import Frame, Scope, check_used, declared_in, declares, names_in
from davy.policy.rego.terms import (
    Array,
    Body,
    Branch,
    Call,
    Collect,
    Comprehension,
    Equation,
    Every,
    Expression,
    Literal,
    Object,
    Ref,
    Rule,
    SetOf,
    Some,
    SomeIn,
    Statement,
    Template,
    Term,
    Var,
    With,
)

TEMPLATE = ("internal", "template_string")
PRINT = ("internal", "print")

Functions = Callable[[tuple[str, ...]], bool]
"""Whether a path is the path of a function: of a rule with arguments, or of a builtin."""


class Lowering:
    """Lowers the rules of one module."""

    def __init__(
        self,
        globals_: Mapping[str, tuple[str, ...]],
        functions: Functions,
        arity: Callable[[tuple[str, ...]], int],
    ) -> None:
        self.scope = Scope(globals_)
        self.functions = functions
        self.arity = arity

    # Rules

    def rule(self, rule: Rule) -> Definition:
        """Lower a rule with all of its branches."""
        arguments = Frame()
        self.scope.frames = [arguments]
        written = tuple(rule.arguments or ())
        for name in names_in(*written):
            if not name.startswith("$") and name not in arguments.names:
                arguments.occurrences[name] = "argument"
                arguments.names[name] = self.scope.fresh(name)
        alternatives = tuple(self.branch(rule, branch, arguments, written) for branch in rule.branches)
        return Definition(alternatives, rule.place, rule.element is not None)

    def branch(self, rule: Rule, branch: Branch, arguments: Frame, written: tuple[Term, ...]) -> Alternative:
        """Lower one branch: what its head needs is computed after its body."""
        frame = arguments.copy()
        frame.reserved = frozenset(declared_in(branch.body)) | frozenset(arguments.names)
        self.scope.frames = [frame]
        out: list[Step] = []
        for statement in branch.body:
            self.statement(statement, out)
        after: list[Step] = []
        value = self.head(branch.value, after)
        element = None if rule.element is None else self.head(rule.element, after)
        path = tuple(self.head(operand, after) for operand in rule.ref[1:])
        patterns = tuple(self.head(argument, after) for argument in written)
        check_used(frame)
        return Alternative(value, (*out, *after), branch.place, path, element, patterns)

    def head(self, term: Term, out: list[Step]) -> Term:
        """Lower a term of a head; a reference is computed in the body."""
        lowered = self.term(term, out)
        if isinstance(lowered, Ref | Collect) or (
            isinstance(lowered, Array | SetOf | Object) and _computes(lowered)
        ):
            var = self.scope.generated(term.place)
            out.append(Unify(var, lowered, term.place, False, ()))
            return var
        return lowered

    # Bodies

    def query(self, body: Body) -> tuple[tuple[Block, ...], dict[str, str]]:
        """Lower what is asked, statement by statement, and say which names are variables of it."""
        frame = Frame(frozenset(declared_in(body)))
        self.scope.frames = [frame]
        blocks: list[Block] = []
        for statement in body:
            out: list[Step] = []
            self.statement(statement, out)
            blocks.append(tuple(out))
        check_used(frame)
        names = {name: name for name, found in frame.occurrences.items() if found == "seen"}
        return tuple(blocks), names | frame.names

    def closure(self, body: Body, frame: Frame, out: list[Step]) -> None:
        """Lower a body within a term; the frame stays for what its head says."""
        frame.reserved |= frozenset(declared_in(body))
        self.scope.frames.append(frame)
        for statement in body:
            self.statement(statement, out)

    def statement(self, statement: Statement, out: list[Step]) -> None:
        """Lower one statement."""
        place = statement.place
        match statement:
            case Some(names):
                for name in names:
                    self.scope.declare(name, "declared")
            case SomeIn():
                self.some_in(statement, self.overrides(statement.withs, out), out)
            case Expression(term, negated=negated, withs=withs):
                self.expression(term, place, negated, self.overrides(withs, out), out)
            case Equation(assigns=True):
                self.assignment(statement, out)
            case Equation(left, right, negated=negated, withs=withs):
                given = self.overrides(withs, out)
                lowered = self.term(left, out, given), self.term(right, out, given)
                out.append(Unify(*lowered, place, negated, given))
            case Every():
                self.every(statement, self.overrides(statement.withs, out), out)
            case _:
                assert_never(statement)

    def expression(self, term: Term, place: Place, negated: bool, given: Overrides, out: list[Step]) -> None:
        """Lower a term that has to hold."""
        if not isinstance(term, Call):
            out.append(Test(self.term(term, out, given), place, negated, given))
            return
        function = self.function(term)
        if function == ("print",):
            said = Array(tuple(map(self.possible, term.arguments)), place)
            out.append(Invoke(PRINT, (said,), None, place, False, given))
            return
        arguments = tuple(self.term(argument, out, given) for argument in term.arguments)
        output = None
        if len(arguments) == self.arity(function) + 1:
            arguments, output = arguments[:-1], arguments[-1]
        out.append(Invoke(function, arguments, output, place, negated, given))

    def assignment(self, statement: Equation, out: list[Step]) -> None:
        """Lower `pattern := value`."""
        if statement.negated:
            raise BadRego("rego_compile_error", "cannot assign vars inside negated expression", statement.place)
        given = self.overrides(statement.withs, out)
        right = self.term(statement.right, out, given)
        left = self.pattern(statement.left, out)
        out.append(Unify(left, right, statement.place, False, given))

    def pattern(self, term: Term, out: list[Step]) -> Term:
        """Declare what is left of `:=`."""
        match term:
            case Var():
                return self.scope.declare(term, "assigned")
            case Array(items, place):
                return Array(tuple(self.pattern(item, out) for item in items), place)
            case Object(pairs, place):
                return Object(
                    tuple((self.term(key, out), self.pattern(value, out)) for key, value in pairs), place
                )
            case Literal(value, place):
                kind = "null" if value is None else {bool: "boolean", str: "string"}.get(type(value), "number")
            case Ref():
                kind = "ref"
            case Call() | Template():
                kind = "call"
            case SetOf():
                kind = "set"
            case _:
                kind = f"{term.kind}comprehension"
        raise BadRego("rego_compile_error", f"cannot assign to {kind}", term.place)

    def some_in(self, statement: SomeIn, given: Overrides, out: list[Step]) -> None:
        """Lower `some key, value in domain` to `value = domain[key]`."""
        place = statement.place
        domain = self.term(statement.domain, out, given)
        taken = set(names_in(statement.domain))
        for term in (statement.key, statement.value):
            for name in _bound_by(term):
                if name not in taken:
                    self.scope.declare(Var(name, place), "declared")
                    self.scope.frames[-1].used.add(name)
        key = (
            Var(self.scope.fresh("$"), place) if statement.key is None else self.term(statement.key, out, given)
        )
        value = self.term(statement.value, out, given)
        where = (
            Ref(domain.head, (*domain.operands, key), place)
            if isinstance(domain, Ref)
            else Ref(domain, (key,), place)
        )
        out.append(Unify(value, where, place, False, given))

    def every(self, statement: Every, given: Overrides, out: list[Step]) -> None:
        """Lower `every key, value in domain { body }`."""
        place = statement.place
        domain = self.scope.generated(place)
        out.append(Unify(domain, self.term(statement.domain, out, given), place, False, given))
        frame = Frame(declares(statement))
        self.scope.frames.append(frame)
        key = None if statement.key is None else self.scope.declare(statement.key, "declared")
        value = self.scope.declare(statement.value, "declared")
        self.scope.frames.pop()
        body: list[Step] = []
        self.closure(statement.body, frame, body)
        check_used(frame)
        self.scope.frames.pop()
        out.append(ForAll(key, value, domain, tuple(body), place, statement.negated, given))

    def overrides(self, withs: tuple[With, ...], out: list[Step]) -> Overrides:
        """Lower the `with` of a statement: what replaces is computed before it."""
        return tuple(self.override(given, out) for given in withs)

    def override(self, given: With, out: list[Step]) -> Override:
        """Lower one `with`."""
        target = self.target(given.target)
        value = self.replacement(given.value, out)
        if target == ("walk",):
            raise BadRego("rego_compile_error", "walk cannot be replaced: it has many answers", given.place)
        if self.functions(target):
            if isinstance(value, tuple):
                if self.arity(target) != self.arity(value):
                    names = ".".join(target), ".".join(value)
                    sentence = f"{names[0]} cannot be replaced by {names[1]}: their arguments differ in number"
                    raise BadRego("rego_type_error", sentence, given.place)
                return Override(target, "function", Literal(None, given.place), value, given.place)
            return Override(target, "constant", value, (), given.place)
        if target[0] not in ("input", "data"):
            raise (
                BadRego("rego_type_error", f"undefined function {'.'.join(target)}", given.place)
                if self.looks_like_function(given.target)
                else BadRego(
                    "rego_compile_error",
                    "with keyword target must reference existing input, data, or a function",
                    given.place,
                )
            )
        if isinstance(value, tuple):
            raise BadRego("rego_type_error", "a function cannot stand for a document", given.place)
        return Override(target, "value", value, (), given.place)

    @staticmethod
    def looks_like_function(term: Term) -> bool:
        """Whether a target is a path with more than one name."""
        return isinstance(term, Ref)

    def target(self, term: Term) -> tuple[str, ...]:
        """Say what a `with` replaces."""
        operands: tuple[Term, ...] = ()
        head = term
        if isinstance(term, Ref):
            head, operands = term.head, term.operands
        assert isinstance(head, Var)
        names: list[str] = []
        resolved = self.scope.resolve(head)
        if isinstance(resolved, Ref):
            assert isinstance(resolved.head, Var)
            names.append(resolved.head.name)
            operands = (*resolved.operands, *operands)
        else:
            names.append(head.name)
        for operand in operands:
            if not isinstance(operand, Literal) or not isinstance(operand.value, str):
                raise BadRego("rego_compile_error", "with keyword target must be a path of names", term.place)
            names.append(operand.value)
        return tuple(names)

    def replacement(self, term: Term, out: list[Step]) -> Term | tuple[str, ...]:
        """Lower what replaces: a value, or the path of a function."""
        names: tuple[str, ...] = ()
        if isinstance(term, Var) and not term.wildcard:
            names = self.path_of(self.scope.resolve(term))
        elif isinstance(term, Ref) and isinstance(term.head, Var):
            names = self.path_of(self.attach(self.scope.resolve(term.head), term.operands, term.place))
        if names and self.functions(names):
            return names
        return self.head(term, out)

    @staticmethod
    def path_of(term: Term) -> tuple[str, ...]:
        """Return the path that a term is, if it is one of names only."""
        head, operands = (term.head, term.operands) if isinstance(term, Ref) else (term, ())
        assert isinstance(head, Var)
        names = [head.name]
        for operand in operands:
            if not isinstance(operand, Literal) or not isinstance(operand.value, str):
                return ()
            names.append(operand.value)
        return tuple(names)

    # Terms

    def function(self, call: Call) -> tuple[str, ...]:
        """Say which function a call means."""
        head = self.scope.resolve(Var(call.function[0], call.place))
        if isinstance(head, Ref):
            return (*self.path_of(head), *call.function[1:])
        return call.function

    def attach(self, head: Term, operands: tuple[Term, ...], place: Place) -> Term:
        """Lengthen a path."""
        if isinstance(head, Ref):
            return Ref(head.head, (*head.operands, *operands), place)
        return Ref(head, operands, place)

    def term(self, term: Term, out: list[Step], given: Overrides = ()) -> Term:
        """Lower a term; the calls in it become steps of their own, before it."""
        match term:
            case Literal() | Collect():
                return term
            case Var():
                return self.scope.resolve(term)
            case Ref(head, operands, place):
                lowered = self.term(head, out, given)
                return self.attach(lowered, tuple(self.term(part, out, given) for part in operands), place)
            case Call(_, arguments, place):
                function = self.function(term)
                if function == ("print",):
                    raise BadRego("rego_type_error", "print used as value", place)
                given_arguments = tuple(self.term(argument, out, given) for argument in arguments)
                output = self.scope.generated(place)
                out.append(Invoke(function, given_arguments, output, place, False, given))
                return output
            case Array(items, place):
                return Array(tuple(self.term(item, out, given) for item in items), place)
            case SetOf(items, place):
                return SetOf(tuple(self.term(item, out, given) for item in items), place)
            case Object(pairs, place):
                return Object(
                    tuple((self.term(k, out, given), self.term(v, out, given)) for k, v in pairs), place
                )
            case Comprehension():
                return self.comprehension(term)
            case Template(parts, place):
                return self.template(parts, place, out, given)
            case _:
                assert_never(term)

    def comprehension(self, term: Comprehension) -> Collect:
        """Lower a comprehension: what its head needs is computed at the end of its body."""
        body: list[Step] = []
        frame = Frame()
        self.closure(term.body, frame, body)
        key = None if term.key is None else self.term(term.key, body)
        value = self.term(term.value, body)
        check_used(frame)
        self.scope.frames.pop()
        return Collect(term.kind, key, value, tuple(body), term.place)

    def possible(self, term: Term) -> Collect:
        """Lower a term to the set of what it can be: empty where it is undefined."""
        body: list[Step] = []
        self.scope.frames.append(Frame())
        value = self.term(term, body)
        var = self.scope.generated(term.place)
        body.append(Unify(var, value, term.place, False, ()))
        self.scope.frames.pop()
        return Collect("set", None, var, tuple(body), term.place)

    def template(self, parts: tuple[str | Term, ...], place: Place, out: list[Step], given: Overrides) -> Var:
        """Lower `$"…"`: every expression becomes a set of what it can be, so that none is text, too."""
        items: list[Term] = []
        for part in parts:
            if isinstance(part, str):
                items.append(Literal(part, place))
                continue
            for name in names_in(part):
                if isinstance(self.scope.resolve(Var(name, part.place)), Var) and not self.scope.knows(name):
                    told = "_" if name.startswith("$") else name
                    raise BadRego("rego_compile_error", f"var {told} is undeclared", part.place)
            items.append(self.possible(part))
        output = self.scope.generated(place)
        out.append(Invoke(TEMPLATE, (Array(tuple(items), place),), output, place, False, given))
        return output


def _computes(term: Term) -> bool:
    """Whether something in a term has to be computed in a body."""
    match term:
        case Ref() | Collect():
            return True
        case Array(items) | SetOf(items):
            return any(map(_computes, items))
        case Object(pairs):
            return any(_computes(part) for pair in pairs for part in pair)
        case _:
            return False


def _bound_by(term: Term | None) -> list[str]:
    """Name the variables that a pattern binds."""
    match term:
        case Var(name):
            return [] if term.wildcard else [name]
        case Array(items):
            return [name for item in items for name in _bound_by(item)]
        case Object(pairs):
            return [name for _, value in pairs for name in _bound_by(value)]
        case _:
            return []
