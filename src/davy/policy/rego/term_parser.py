"""Terms and statements: what stands in the body of a rule, read as OPA reads it."""

from davy.policy.rego.errors import BadRego, Place
from davy.policy.rego.lexer import Lexer, Token
from davy.policy.rego.terms import (
    Array,
    Body,
    Call,
    Comprehension,
    Equation,
    Every,
    Expression,
    Literal,
    Object,
    Ref,
    SetOf,
    Some,
    SomeIn,
    Statement,
    Template,
    Term,
    Var,
    With,
)

MAX_NESTING = 100

KEYWORDS = frozenset(
    {"as", "default", "else", "false", "import", "package", "not", "null", "some", "true", "with"}
)
FUTURE = frozenset({"in", "every", "contains", "if"})

LEVELS: tuple[dict[str, str], ...] = (
    {"in": "internal.member_2"},
    {"==": "equal", "!=": "neq", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"},
    {"|": "or"},
    {"&": "and"},
    {"+": "plus", "-": "minus"},
    {"*": "mul", "/": "div", "%": "rem"},
)
"""The operators, the loosest first, and the builtins that they are."""

MEMBER, RELATION = 0, 1

ROOTS = ("data", "input")

MEMBER_2 = ("internal", "member_2")
MEMBER_3 = ("internal", "member_3")


class TermParser:
    """Reads terms and statements off a list of tokens. It never looks back further than it says."""

    def __init__(self, text: str, file: str, *, v1: bool) -> None:
        self.text = text
        self.file = file
        self.v1 = v1
        self.keywords = set(KEYWORDS | (FUTURE if v1 else frozenset()))
        self.wildcards = 0
        self.depth = 0
        self.read(Lexer(text, file).tokens())

    def read(self, tokens: list[Token]) -> None:
        """Begin with other tokens."""
        self.all = tokens
        self.at = 0

    # What comes next

    @property
    def token(self) -> Token:
        """What comes next."""
        return self.all[self.at]

    def ended(self) -> bool:
        """Whether nothing comes next."""
        return self.all[self.at].kind == "end"

    def ahead(self, by: int = 1) -> Token:
        """What comes after what comes next."""
        return self.all[min(self.at + by, len(self.all) - 1)]

    def take(self) -> Token:
        """Step over what comes next."""
        token = self.all[self.at]
        self.at = min(self.at + 1, len(self.all) - 1)
        return token

    def sees(self, text: str) -> bool:
        """Whether an operator or a keyword comes next."""
        token = self.all[self.at]
        if token.text != text:
            return False
        return token.kind == "operator" or (token.kind == "name" and text in self.keywords)

    def eat(self, text: str) -> bool:
        """Step over an operator or a keyword if it comes next."""
        if self.sees(text):
            self.at += 1
            return True
        return False

    def need(self, text: str, wanted: str = "") -> Token:
        """Step over an operator or a keyword that has to come next."""
        if not self.sees(text):
            raise self.unexpected(wanted or f"expected {text}")
        return self.take()

    def refuse(self, sentence: str, place: Place) -> BadRego:
        """Make the error of a text that is no Rego."""
        return BadRego("rego_parse_error", sentence, place)

    def unexpected(self, wanted: str = "") -> BadRego:
        """Make the error of a token that cannot stand where it does."""
        token = self.token
        what = "end of text" if token.kind == "end" else f"{token.text[:40]!r}"
        return self.refuse(f"unexpected {what}" + (f": {wanted}" if wanted else ""), token.place)

    def wildcard(self, place: Place) -> Var:
        """Make the variable of a `_`."""
        self.wildcards += 1
        return Var(f"${self.wildcards}", place)

    # Statements

    def body(self, end: str) -> Body:
        """Read statements up to and with what ends them."""
        if self.sees(end):
            raise self.refuse("found empty body", self.token.place)
        found: list[Statement] = []
        while True:
            found.append(self.statement())
            semicolon = self.eat(";")
            if semicolon and self.sees(end):
                raise self.unexpected("a statement is expected behind ;")
            if self.eat(end) if end else self.ended():
                return tuple(found)
            if not semicolon and not self.token.fresh:
                raise self.unexpected(f"expected a new line or ; or {end or 'the end'}")

    def statement(self) -> Statement:
        """Read one statement with its `with`."""
        start = self.at
        place = self.token.place
        if self.eat("some"):
            return self.some(place, start)
        negated = self.eat("not")
        if negated and self.sees("some"):
            raise self.unexpected()
        if self.sees("every"):
            if negated:
                raise self.unexpected("illegal negation of 'every'")
            self.take()
            return self.every(place, start, negated)
        term = self.expression()
        for sign in (":=", "="):
            if self.eat(sign):
                right = self.expression()
                withs = self.withs()
                assigns = sign == ":="
                return Equation(term, right, place, assigns, negated, withs, self.since(start))
        withs = self.withs()
        return Expression(term, place, negated, withs, self.since(start))

    def since(self, start: int) -> str:
        """Return the text from a token on."""
        return self.text[self.all[start].start : self.all[self.at - 1].stop]

    def some(self, place: Place, start: int) -> Statement:
        """Read what follows `some`."""
        terms = [self.binary(RELATION)]
        while self.eat(","):
            terms.append(self.binary(RELATION))
        if self.eat("in"):
            if len(terms) > 2:
                raise self.refuse("expected `some x in xs` or `some x, y in xs` expression", place)
            domain = self.binary(RELATION)
            key = terms[0] if len(terms) == 2 else None
            return SomeIn(key, terms[-1], domain, place, self.withs(), self.since(start))
        names: list[Var] = []
        for term in terms:
            if not isinstance(term, Var) or term.wildcard:
                raise self.refuse("expected a variable to declare", _place(term))
            names.append(term)
        return Some(tuple(names), place, self.withs(), self.since(start))

    def every(self, place: Place, start: int, negated: bool) -> Statement:
        """Read what follows `every`."""
        key, value = None, self.variable()
        if self.eat(","):
            key, value = value, self.variable()
        self.need("in", "expected `every x[, y] in xs { ... }` expression")
        domain = self.expression()
        self.need("{", "expected `every x[, y] in xs { ... }` expression")
        body = self.body("}")
        return Every(key, value, domain, body, place, negated, self.withs(), self.since(start))

    def variable(self) -> Var:
        """Read a name."""
        token = self.token
        if token.kind != "name" or token.text in self.keywords:
            raise self.unexpected("expected a variable")
        self.take()
        return self.wildcard(token.place) if token.text == "_" else Var(token.text, token.place)

    def withs(self) -> tuple[With, ...]:
        """Read any number of `with target as value`."""
        found: list[With] = []
        while self.sees("with"):
            place = self.take().place
            target = self.primary()
            if not isinstance(target, Ref | Var):
                raise self.refuse("expected a path after with", place)
            self.need("as", "expected `as` keyword")
            found.append(With(target, self.expression(), place))
        return tuple(found)

    # Terms

    def expression(self) -> Term:
        """Read a term with operators, and `key, value in collection`."""
        term = self.binary(MEMBER)
        if self.sees(",") and "in" in self.keywords:
            mark = self.at, self.wildcards, self.depth
            place = self.take().place
            try:
                value = self.binary(RELATION)
            except BadRego:
                value = None
            if value is not None and self.eat("in"):
                collection = self.binary(RELATION)
                member: Term = Call(MEMBER_3, (term, value, collection), _place(term))
                while self.eat("in"):
                    member = Call(MEMBER_2, (member, self.binary(RELATION)), place)
                return member
            self.at, self.wildcards, self.depth = mark
        return term

    def binary(self, level: int) -> Term:
        """Read operators that bind as tight as this or tighter."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.refuse(f"terms are nested more than {MAX_NESTING} deep", self.token.place)
        left = self.primary()
        left = self.operators(left, level)
        self.depth -= 1
        return left

    def operators(self, left: Term, level: int) -> Term:
        """Read the operators behind a term, by precedence."""
        while True:
            found = self.operator(level)
            if found is None:
                return left
            at, function = found
            self.take()
            right = self.primary()
            while (tighter := self.operator(at + 1)) is not None:
                right = self.operators(right, tighter[0])
            left = Call(tuple(function.split(".")), (left, right), _place(left))

    def operator(self, level: int) -> tuple[int, str] | None:
        """Look for an operator that binds as tight as this or tighter."""
        token = self.token
        if token.kind != "operator" and not (token.text == "in" and "in" in self.keywords):
            return None
        for at in range(level, len(LEVELS)):
            function = LEVELS[at].get(token.text)
            if function is not None:
                return at, function
        return None

    def primary(self) -> Term:
        """Read one term with what is applied to it."""
        token = self.token
        match token.kind:
            case "string" | "number":
                self.take()
                return self.applied(Literal(_scalar(token.value), token.place))
            case "template":
                self.take()
                return self.template(token)
            case "name":
                return self.named(token)
            case "operator" if token.text in BRACKETS:
                return BRACKETS[token.text](self)
            case "operator" if token.text == "-":
                return self.minus()
            case _:
                raise self.unexpected()

    def minus(self) -> Term:
        """Read what follows a sign: a number, or what is taken from nothing."""
        place = self.take().place
        token = self.token
        if token.kind == "number":
            self.take()
            assert isinstance(token.value, int | float)
            return Literal(-token.value, place)
        if token.kind != "name":
            raise self.unexpected("expected number")
        return Call(("minus",), (Literal(0, place), self.primary()), place)

    def named(self, token: Token) -> Term:
        """Read what begins with a name."""
        if token.text in ("true", "false", "null"):
            self.take()
            return self.applied(Literal({"true": True, "false": False, "null": None}[token.text], token.place))
        if (
            token.text == "set"
            and self.ahead().text == "("
            and self.ahead().glued
            and self.ahead(2).text == ")"
        ):
            self.at += 3
            return self.applied(SetOf((), token.place))
        if token.text in self.keywords and not self.calls(token):
            raise self.unexpected(f"{token.text} keyword cannot be used for a name")
        self.take()
        return self.applied(self.wildcard(token.place) if token.text == "_" else Var(token.text, token.place))

    def calls(self, token: Token) -> bool:
        """Whether the builtin `contains` is called, which is a keyword in other places."""
        return token.text == "contains" and self.ahead().text == "(" and self.ahead().glued

    def applied(self, head: Term) -> Term:
        """Read the path and the arguments behind a term; nothing may stand between."""
        operands: list[Term] = []
        place = _place(head)
        while self.token.glued and self.token.kind == "operator" and self.token.text in (".", "[", "("):
            if isinstance(head, Literal):
                raise self.refuse("illegal ref (head cannot be a scalar)", place)
            if self.token.text == "(":
                head, operands = self.call(head, operands, place), []
                continue
            if self.eat("."):
                token = self.take()
                if token.kind != "name" or not token.glued:
                    self.at -= 1
                    raise self.unexpected("expected a name")
                operands.append(Literal(token.text, token.place))
            else:
                self.take()
                operands.append(self.expression())
                self.need("]")
        return Ref(head, tuple(operands), place) if operands else head

    def call(self, head: Term, operands: list[Term], place: Place) -> Term:
        """Read the arguments of a function."""
        names = [head.name] if isinstance(head, Var) and not head.wildcard else []
        for operand in operands:
            if isinstance(operand, Literal) and isinstance(operand.value, str):
                names.append(operand.value)
        if len(names) != len(operands) + 1:
            raise self.refuse("only a name can be called", place)
        self.take()
        return Call(tuple(names), self.items(")"), place)

    def items(self, end: str) -> tuple[Term, ...]:
        """Read terms between commas up to and with what ends them."""
        found: list[Term] = []
        while not self.eat(end):
            found.append(self.binary(MEMBER))
            if not self.eat(","):
                self.need(end, f"expected , or {end}")
                break
        return tuple(found)

    def template(self, token: Token) -> Term:
        """Read the expressions in `$"…"`."""
        parts: list[str | Term] = []
        assert isinstance(token.value, tuple)
        for part in token.value:
            if isinstance(part, str):
                parts.append(part)
                continue
            kept = self.all, self.at
            self.read(Lexer(self.text, self.file, start=part[0], stop=part[1]).tokens())
            if self.ended():
                raise self.refuse("invalid template string expression: it is empty", token.place)
            term = self.expression()
            if not self.ended():
                raise self.refuse("expected } to end template string expression", self.token.place)
            parts.append(term)
            self.all, self.at = kept
        return Template(tuple(parts), token.place)

    # Brackets

    def parenthesis(self) -> Term:
        """Read `(…)`."""
        place = self.take().place
        term = self.expression()
        self.need(")")
        rooted = isinstance(term, Var) and term.name in ROOTS
        if not rooted and isinstance(term, Var | Call | Array | Object | SetOf | Comprehension):
            return self.applied(term)
        if self.token.glued and self.token.text in (".", "[", "("):
            raise self.refuse("illegal ref (head cannot be a ref or a scalar in parentheses)", place)
        return term

    def square(self) -> Term:
        """Read an array or a comprehension of one."""
        place = self.take().place
        if self.eat("]"):
            return self.applied(Array((), place))
        head = self.head()
        if self.eat("|"):
            return self.applied(Comprehension("array", None, head, self.body("]"), place))
        first = self.operators(head, MEMBER)
        if self.eat(","):
            return self.applied(Array((first, *self.items("]")), place))
        self.need("]", "expected , or ]")
        return self.applied(Array((first,), place))

    def brace(self) -> Term:
        """Read a set, an object, or a comprehension of either."""
        place = self.take().place
        if self.eat("}"):
            return self.applied(Object((), place))
        head = self.head()
        if self.eat("|"):
            return self.applied(Comprehension("set", None, head, self.body("}"), place))
        first = self.operators(head, MEMBER)
        if self.eat(":"):
            return self.applied(self.object(first, place))
        if not self.eat(","):
            self.need("}", "expected , or }")
            return self.applied(SetOf((first,), place))
        return self.applied(SetOf((first, *self.items("}")), place))

    def head(self) -> Term:
        """Read what might be the head of a comprehension: one term without operators."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.refuse(f"terms are nested more than {MAX_NESTING} deep", self.token.place)
        try:
            return self.primary()
        finally:
            self.depth -= 1

    def object(self, key: Term, place: Place) -> Term:
        """Read what follows the first key."""
        value = self.head()
        if self.eat("|"):
            return Comprehension("object", key, value, self.body("}"), place)
        pairs = [(key, self.operators(value, MEMBER))]
        while not self.eat("}"):
            self.need(",", "expected , or }")
            if self.eat("}"):
                break
            key = self.binary(MEMBER)
            self.need(":")
            pairs.append((key, self.binary(MEMBER)))
        return Object(tuple(pairs), place)


BRACKETS = {"(": TermParser.parenthesis, "[": TermParser.square, "{": TermParser.brace}


def _place(term: Term) -> Place:
    return term.place


def _scalar(value: object) -> bool | int | float | str | None:
    assert value is None or isinstance(value, bool | int | float | str)
    return value
