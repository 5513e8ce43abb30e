"""Modules: packages, imports and rules, in the grammar of Rego v0 or v1."""

from collections.abc import Iterable
from functools import lru_cache

from davy.policy.rego.errors import BadRego, Place
from davy.policy.rego.term_parser import FUTURE, ROOTS, TermParser
from davy.policy.rego.terms import (
    Array,
    Body,
    Branch,
    Call,
    Expression,
    Import,
    Literal,
    Module,
    Object,
    Ref,
    Rule,
    SetOf,
    Template,
    Term,
    Var,
)

KEPT = 64
"""How many modules are remembered; templates share their libraries."""


@lru_cache(KEPT)
def parse_module(text: str, file: str = "", *, v1: bool) -> Module:
    """Read one module; the same text is read once.

    Raises:
        BadRego: it is no Rego of that version; the error has its place.
    """
    return ModuleParser(text, file, v1=v1).module()


def parse_query(text: str, file: str = "", *, v1: bool = True) -> Body:
    """Read what is asked: the statements of a body.

    Raises:
        BadRego: it is no Rego.
    """
    parser = TermParser(text, file, v1=v1)
    if parser.ended():
        raise parser.refuse("the query is empty", parser.token.place)
    return parser.body("")


class ModuleParser(TermParser):
    """Reads packages, imports and rules."""

    def module(self) -> Module:
        """Read all of a module."""
        place = self.token.place
        if self.ended():
            raise self.refuse("the module is empty", place)
        self.need("package", "package expected")
        package = self.path(self.take_name("expected a package name"))
        imports: list[Import] = []
        rules: list[Rule] = []
        while not self.ended():
            if self.sees("import"):
                imports += self.imported()
            else:
                rules += self.rules()
        return Module(package, tuple(imports), tuple(rules), self.v1, place)

    def take_name(self, wanted: str) -> str:
        """Read a name."""
        token = self.token
        if token.kind != "name":
            raise self.unexpected(wanted)
        return self.take().text

    def path(self, first: str) -> tuple[str, ...]:
        """Read the rest of a path of texts."""
        names = [first]
        while self.token.glued and self.token.text in (".", "["):
            if self.eat("."):
                names.append(self.take_name("expected a name"))
                continue
            self.take()
            value = self.token.value
            if self.token.kind != "string" or not isinstance(value, str):
                raise self.unexpected("expected a text in quotes")
            self.take()
            self.need("]")
            names.append(value)
        return tuple(names)

    def imported(self) -> Iterable[Import]:
        """Read an import; those of keywords change how the rest is read."""
        place = self.take().place
        at = self.token.place
        path = self.path(self.take_name("expected a path to import"))
        alias, alias_place = path[-1], at
        if self.eat("as"):
            alias_place = self.token.place
            alias = self.take_name("expected a name to import as")
            if alias in ROOTS:
                raise self.refuse(
                    f"unexpected import alias, must not be a reserved name, got: {alias}", alias_place
                )
        match path:
            case ("future", "keywords", *names) if len(names) < 2 and set(names) <= FUTURE:
                self.keywords |= set(names) or FUTURE
                if "every" in names:
                    self.keywords.add("in")
                return []
            case ("rego", "v1"):
                self.v1 = True
                self.keywords |= FUTURE
                return []
            case ("data" | "input", *_):
                return [Import(path, alias, place)]
        if path[0] in ("future", "rego"):
            raise self.refuse(f"unexpected import path {'.'.join(path)}", at)
        raise self.refuse(f"unexpected import path, must begin with one of: {{data, future, input, rego}}, "
                          f"got: {path[0]}", at)  # fmt: skip

    # Rules

    def rules(self) -> Iterable[Rule]:
        """Read a rule with its `else`, and the bodies that are chained to it."""
        place = self.token.place
        default = self.sees("default") and self.ahead().kind == "name"
        if default:
            self.take()
        ref, arguments = self.head_ref()
        name = ref[0]
        assert isinstance(name, Var)
        element = None
        if arguments is None and self.sees("contains"):
            self.take()
            element = self.expression()
        value, assigned = self.head_value()
        if element is not None and assigned:
            raise self.refuse("a contains rule has no value", place)
        if default:
            return [self.default(ref, arguments, value, place)]
        iffy = self.sees("if")
        body, blocked = self.rule_body(place)
        if element is None and arguments is None and len(ref) == 2 and not iffy and not assigned:
            if self.v1:
                raise self.refuse("`contains` keyword is required for partial set rules", place)
            ref, element = (name,), ref[-1]
        if not body and not assigned and element is None and arguments is None and len(ref) == 1:
            raise self.refuse("var cannot be used for rule name", place)
        if self.sees("with"):
            raise self.refuse("expressions using with keyword cannot be used for rule head", place)
        if self.sees(";"):
            raise self.unexpected()
        branches = [Branch(value, body, place)]
        if self.sees("else") and not body:
            raise self.unexpected("a rule without a body has no else")
        while self.sees("else"):
            branches.append(self.otherwise(ref, element))
        rules = [Rule(ref, arguments, element, tuple(branches), False, place)]
        while blocked and len(branches) == 1 and self.sees("{"):
            at = self.take().place
            branch = Branch(value, self.body("}"), at)
            rules.append(Rule(ref, arguments, element, (branch,), False, at))
        return rules

    def head_ref(self) -> tuple[tuple[Term, ...], tuple[Term, ...] | None]:
        """Read the name of a rule, the path behind it and its arguments."""
        token = self.token
        if token.kind != "name":
            raise self.unexpected("expected a rule")
        if token.text in self.keywords and not self.calls(token):
            raise self.refuse(f"{token.text} keyword cannot be used for rule name", token.place)
        match self.primary():
            case Var() as name:
                return (name,), None
            case Ref(Var() as name, operands):
                return (name, *operands), None
            case Call(names, arguments, place):
                rest = tuple(Literal(part, place) for part in names[1:])
                return (Var(names[0], place), *rest), arguments
            case _:
                raise self.refuse("rule head is neither a name, a path nor a function", token.place)

    def head_value(self) -> tuple[Term, bool]:
        """Read `:= value`, which is true where there is none."""
        if self.eat(":=") or self.eat("="):
            return self.expression(), True
        return Literal(True, self.token.place), False

    def default(
        self,
        ref: tuple[Term, ...],
        arguments: tuple[Term, ...] | None,
        value: Term,
        place: Place,
    ) -> Rule:
        """Make a default of what was read."""
        if self.sees("{") or self.sees("if"):
            raise self.refuse("default rules cannot have a body", self.token.place)
        what = _changing(value)
        if what:
            raise self.refuse(f"illegal default rule (value cannot contain {what})", place)
        if arguments is not None:
            names = [argument.name for argument in arguments if isinstance(argument, Var)]
            if len(names) < len(arguments):
                raise self.refuse("illegal default rule (arguments have to be variables)", place)
            if len(set(names)) < len(names):
                raise self.refuse("illegal default rule (arguments cannot be repeated)", place)
        return Rule(ref, arguments, None, (Branch(value, (), place),), True, place)

    def rule_body(self, place: Place) -> tuple[Body, bool]:
        """Read `if …` or `{…}`, and say whether it was in braces."""
        if self.eat("if"):
            if self.sees("{") and not self.literal():
                self.take()
                return self.body("}"), True
            return (self.statement(),), False
        if self.sees("{"):
            if self.v1:
                raise self.refuse("`if` keyword is required before rule body", place)
            self.take()
            return self.body("}"), True
        return (), False

    def literal(self) -> bool:
        """Whether a brace behind `if` begins a term and not a body; what looks like a set is a body."""
        mark = self.at, self.wildcards, self.depth
        try:
            found = self.statement()
        except BadRego:
            return False
        finally:
            self.at, self.wildcards, self.depth = mark
        return not (isinstance(found, Expression) and isinstance(found.term, SetOf))

    def otherwise(self, ref: tuple[Term, ...], element: Term | None) -> Branch:
        """Read `else := value if …`."""
        place = self.take().place
        if element is not None:
            raise self.refuse("else keyword cannot be used on multi-value rules", place)
        if any(not isinstance(operand, Literal) for operand in ref[1:]):
            raise self.refuse("else keyword cannot be used on rules with variables in head", place)
        value, assigned = self.head_value()
        body, _ = self.rule_body(place)
        if not body and not assigned:
            raise self.refuse("rule body expected", place)
        return Branch(value, body, place)


def _changing(term: Term) -> str:
    """Name what in a term is no constant."""
    match term:
        case Var():
            return "ref" if term.name in ROOTS else "var"
        case Ref():
            return "ref"
        case Call() | Template():
            return "call"
        case Array(items) | SetOf(items):
            return next(filter(None, map(_changing, items)), "")
        case Object(pairs):
            return next(filter(None, (_changing(part) for pair in pairs for part in pair)), "")
        case _:
            return ""
