"""Refuse what can never be: a builtin on an argument of the wrong sort, a field of a number.

OPA has a type checker, and a program it refuses is no policy for Gatekeeper either. This one is weaker on
purpose: it knows the sort of a value (a set of letters, `davy.policy.rego.declared`) only where exactly one
step gives it, and takes anything else to be of any sort. So it refuses nothing that OPA takes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from davy.policy.rego.declared import DECLARED
from davy.policy.rego.errors import BadRego
from davy.policy.rego.lowered import Alternative, Block, Definition, ForAll, Invoke, Step, Unify
from davy.policy.rego.safety import terms_of, variables
from davy.policy.rego.terms import Array, Collect, Literal, Object, Ref, SetOf, Term, Var
from davy.policy.rego.tree import Document, Node

ANY = frozenset("zbnsaot")
SCALARS = frozenset("zbns")
NAMES = {
    "z": "null",
    "b": "boolean",
    "n": "number",
    "s": "string",
    "a": "array",
    "o": "object",
    "t": "set",
}
SEVERAL = 2

Sorts = frozenset[str]
Lowered = Mapping[int, tuple[Sequence[Definition], Definition | None]]


def sorts_of(letters: str) -> Sorts:
    """Read letters."""
    return ANY if letters == "*" else frozenset(letters)


class Sorting:
    """Finds the sorts of documents, and looks at every step of them."""

    def __init__(self, tree: Node, documents: Sequence[Document], lowered: Lowered) -> None:
        self.tree = tree
        self.documents = documents
        self.lowered = lowered
        self.known: dict[int, Sorts] = {}
        self.variables: dict[int, dict[str, Sorts]] = {}

    def check(self) -> None:
        """Look at all documents.

        Raises:
            BadRego: something in them can never be.
        """
        for document in self.documents:
            for definition in self.definitions(document):
                for alternative in definition.alternatives:
                    self.block(alternative.body, self.within(alternative))

    def definitions(self, document: Document) -> Iterator[Definition]:
        """List the definitions of a document, the default among them."""
        definitions, default = self.lowered[document.number]
        yield from definitions
        if default is not None:
            yield default

    # What is known

    def within(self, alternative: Alternative) -> dict[str, Sorts]:
        """Say of what sort the variables of a branch are; it is found out once."""
        if id(alternative) not in self.variables:
            self.variables[id(alternative)] = self.given(alternative.body, alternative.arguments)
        return self.variables[id(alternative)]

    def given(self, body: Block, arguments: tuple[Term, ...]) -> dict[str, Sorts]:
        """Say of what sort the variables of a body are: those that get their value from one step alone."""
        counted: Counter[str] = Counter()
        for name in variables(*arguments):
            counted[name] += SEVERAL
        steps = list(_steps(body))
        for step in steps:
            counted.update(_touched(step))
        known: dict[str, Sorts] = {}
        for step in steps:
            match step:
                case Invoke(function, _, Var(name), negated=False):
                    found = self.called(function)
                case Unify(Var(name), term, negated=False) | Unify(term, Var(name), negated=False):
                    found = self.sorts(term, known)
                case _:
                    continue
            if counted[name] == 1 and not step.overrides:
                known[name] = found
        return known

    def called(self, function: tuple[str, ...]) -> Sorts:
        """Say of what sort the result of a call is."""
        if function[0] != "data":
            return sorts_of(DECLARED.get(".".join(function), ((), "*"))[1])
        document, rest = self.document(function[1:])
        return self.made(document) if document is not None and not rest else ANY

    def document(self, path: Sequence[str]) -> tuple[Document | None, int]:
        """Find the document that a path leads to or through, and how many names are left of the path."""
        node = self.tree
        for at, part in enumerate(path):
            if part not in node.children:
                return None, 0
            node = node.children[part]
            if node.document is not None:
                return node.document, len(path) - at - 1
        return None, 0

    def made(self, document: Document) -> Sorts:
        """Say of what sort a document is, or what a function gives."""
        if document.kind in ("set", "object"):
            return frozenset("t" if document.kind == "set" else "o")
        if document.number not in self.known:
            self.known[document.number] = ANY  # for a rule that needs itself, which is refused elsewhere
            found: Sorts = frozenset()
            for definition in self.definitions(document):
                for alternative in definition.alternatives:
                    found |= self.sorts(alternative.value, self.within(alternative))
            self.known[document.number] = found
        return self.known[document.number]

    def sorts(self, term: Term, known: Mapping[str, Sorts]) -> Sorts:
        """Say of what sort a term is."""
        match term:
            case Literal(value):
                return frozenset({type(None): "z", bool: "b", str: "s"}.get(type(value), "n"))
            case Var(name):
                return known.get(name, ANY)
            case Array():
                return frozenset("a")
            case SetOf():
                return frozenset("t")
            case Object():
                return frozenset("o")
            case Collect(kind):
                return frozenset({"array": "a", "set": "t", "object": "o"}[kind])
            case Ref(Var("data"), operands):
                names = [_name(operand) for operand in operands]
                document, rest = self.document(names)
                return self.made(document) if document is not None and not rest else ANY
            case _:
                return ANY

    # What can never be

    def block(self, body: Block, known: Mapping[str, Sorts]) -> None:
        """Look at the steps of a body and of those within; what is said of every thing OPA does not look at."""
        for step in _steps(body, every=False):
            if step.overrides:
                continue
            if isinstance(step, Invoke) and step.function[0] != "data":
                self.call(step, known)
            for term in _refs(terms_of(step)):
                self.reference(term, known)

    def call(self, step: Invoke, known: Mapping[str, Sorts]) -> None:
        """Refuse a builtin that can do nothing with an argument."""
        name = ".".join(step.function)
        wanted, _ = DECLARED.get(name, ((), ""))
        for at, (argument, letters) in enumerate(zip(step.arguments, wanted, strict=False), start=1):
            found = self.sorts(argument, known)
            if not found & sorts_of(letters):
                sentence = f"{name}: argument {at} is {_said(found)}, and has to be {_said(sorts_of(letters))}"
                raise BadRego("rego_type_error", sentence, step.place)

    def reference(self, ref: Ref, known: Mapping[str, Sorts]) -> None:
        """Refuse to look for something within what holds nothing."""
        found, place = ANY, ref.place
        if isinstance(ref.head, Var) and ref.head.name == "data":
            document, rest = self.document([_name(operand) for operand in ref.operands])
            if document is not None and rest and document.kind == "complete":
                found = self.made(document)
        else:
            found = self.sorts(ref.head, known)
        if found and found <= SCALARS:
            raise BadRego("rego_type_error", f"undefined ref: {_said(found)} holds nothing", place)


def _name(operand: Term) -> str:
    return operand.value if isinstance(operand, Literal) and isinstance(operand.value, str) else ""


def _said(sorts: Sorts) -> str:
    return " or ".join(NAMES[letter] for letter in "zbnsaot" if letter in sorts)


def _steps(body: Block, *, every: bool = True) -> Iterator[Step]:
    """List the steps of a body and of all bodies within, those of `every` too if they are asked for."""
    for step in body:
        yield step
        if every and isinstance(step, ForAll):
            yield from _steps(step.body)
        for term in (*terms_of(step), *(given.value for given in step.overrides)):
            if not isinstance(term, Literal | Var):
                yield from _within(term, every)


def _within(term: Term, every: bool) -> Iterator[Step]:
    if isinstance(term, Collect):
        yield from _steps(term.body, every=every)
    for part in _parts(term):
        if not isinstance(part, Literal | Var):
            yield from _within(part, every)


def _parts(term: Term) -> tuple[Term, ...]:
    """List the terms in a term that has some; what lowering leaves of those is named here."""
    match term:
        case Collect(_, key, value):
            return (value,) if key is None else (key, value)
        case Ref(head, operands):
            return (head, *operands)
        case Object(pairs):
            return tuple(part for pair in pairs for part in pair)
        case _:
            assert isinstance(term, Array | SetOf)
            return term.items


def _refs(terms: Sequence[Term]) -> Iterator[Ref]:
    for term in terms:
        if isinstance(term, Ref):
            yield term
        if not isinstance(term, Literal | Var):
            yield from _refs(_parts(term))


def _touched(step: Step) -> Iterator[str]:
    """Name the variables that a step may give a value to, one time for each place where they stand."""
    match step:
        case Unify(left, right):
            for side, other in ((left, right), (right, left)):
                if isinstance(side, Ref):
                    yield from variables(*side.operands, heads=False)
                elif not (_generated(side) and isinstance(other, Var)):
                    yield from variables(side, heads=False)
        case Invoke(_, arguments, output):
            for argument in arguments:
                if isinstance(argument, Ref):
                    yield from variables(*argument.operands, heads=False)
            if output is not None:
                yield from variables(output)
        case ForAll(key, value):
            for found in (key, value):
                if found is not None:
                    yield from (found.name, found.name)
        case _:
            for term in terms_of(step):
                if isinstance(term, Ref):
                    yield from variables(*term.operands, heads=False)


def _generated(term: Term) -> bool:
    """Whether a term is what a call gave to a variable that nobody wrote: that call alone gives it a value."""
    return isinstance(term, Var) and term.name.startswith("#")
