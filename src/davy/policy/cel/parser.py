"""Expressions read into trees, macros and all, by the grammar of CEL."""

from collections.abc import Callable

from davy.policy.cel import tree
from davy.policy.cel.errors import CelError
from davy.policy.cel.numbers import LARGEST_INT
from davy.policy.cel.tokens import RESERVED, Token, tokens

DEEPEST = 50
"""How deep parts may be nested in brackets and signs; kube-apiserver's own reader ends at 250 of its rules."""

LONGEST_CHAIN = 100
"""How many operators, or fields, may follow each other; `&&` and `||` may without an end."""

LONGEST = 100_000
"""How many characters an expression may have."""

STRONGER = {"in": 0, "==": 0, "!=": 0, "<": 0, "<=": 0, ">": 0, ">=": 0, "+": 1, "-": 1, "*": 2, "/": 2, "%": 2}
LOOPS = {
    "all": ((1, 1), (2, 1)),
    "exists": ((1, 1), (2, 1)),
    "exists_one": ((1, 1), (2, 1)),
    "existsOne": ((2, 1),),
    "map": ((1, 1), (1, 2)),
    "filter": ((1, 1),),
    "sortBy": ((1, 1),),
    "transformList": ((2, 1), (2, 2)),
    "transformMap": ((2, 1), (2, 2)),
    "transformMapEntry": ((2, 1), (2, 2)),
    "optMap": ((1, 1),),
    "optFlatMap": ((1, 1),),
}
"""How many names and how many steps each macro takes."""

MESSAGES = "messages cannot be built here: an expression reads objects, and makes maps and lists only"

Operand = Callable[[], tree.Node]


def parse(expression: str) -> tree.Node:
    """Read an expression.

    Raises:
        CelError: it is no expression, or too long or nested too deeply.
    """
    if len(expression) > LONGEST:
        raise CelError(f"the expression is longer than {LONGEST} characters", 0)
    parser = _Parser(tokens(expression))
    found = parser.expression()
    if parser.token.kind != "end":
        raise parser.unexpected()
    return found


class _Parser:
    """One reading: every method reads one sort of part and leaves `token` behind it."""

    def __init__(self, words: list[Token]) -> None:
        self.words = words
        self.next = 0
        self.token = words[0]
        self.depth = 0

    def advance(self) -> Token:
        taken = self.token
        self.next += 1
        self.token = self.words[min(self.next, len(self.words) - 1)]
        return taken

    def at(self, sign: str) -> bool:
        return self.token.text == sign and self.token.kind in ("sign", "name")

    def took(self, sign: str) -> bool:
        if self.token.text == sign and self.token.kind == "sign":
            self.advance()
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.took(sign):
            raise CelError(f"Syntax error: expected {sign!r} and not {self.token.text!r}", self.token.at)

    def unexpected(self) -> CelError:
        return CelError(f"Syntax error: unexpected {self.token.text!r}", self.token.at)

    def expression(self) -> tree.Node:
        self.deeper()
        found = self.chain("||", self.conjunction)
        if self.at("?"):
            at = self.advance().at
            then = self.chain("||", self.conjunction)
            self.expect(":")
            found = tree.Conditional(at, found, then, self.expression())
        self.depth -= 1
        return found

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise CelError(f"expression recursion limit exceeded: {DEEPEST}", self.token.at)

    def conjunction(self) -> tree.Node:
        return self.chain("&&", self.relation)

    def relation(self) -> tree.Node:
        return self.binary(self.unary(), 0)

    def chain(self, sign: str, operand: Operand) -> tree.Node:
        first = operand()
        if not self.at(sign):
            return first
        at, operands = self.token.at, [first]
        while self.took(sign):
            operands.append(operand())
        return tree.Logic(at, sign == "&&", tuple(operands))

    def binary(self, left: tree.Node, weakest: int) -> tree.Node:
        length = 0
        while (strength := self.strength()) >= weakest:
            length += 1
            if length > LONGEST_CHAIN:
                raise CelError(f"expression recursion limit exceeded: {LONGEST_CHAIN}", self.token.at)
            sign = self.advance()
            right = self.unary()
            while self.strength() > strength:
                right = self.binary(right, strength + 1)
            name = "@in" if sign.text == "in" else f"_{sign.text}_"
            left = tree.Call(sign.at, name, (left, right))
        return left

    def strength(self) -> int:
        return STRONGER.get(self.token.text, -1) if self.token.kind in ("sign", "name") else -1

    def unary(self) -> tree.Node:
        if not (self.at("!") or self.at("-")):
            return self.member()
        sign = self.advance()
        number = self.token.value
        if sign.text == "-" and type(number) in (int, float):
            return self.suffixes(self.negative(sign))
        self.deeper()
        operand = self.unary()
        self.depth -= 1
        return tree.Call(sign.at, sign.text + "_", (operand,))

    def negative(self, sign: Token) -> tree.Node:
        number = self.advance().value
        assert isinstance(number, int | float)
        return tree.Literal(sign.at, -number)

    def member(self) -> tree.Node:
        return self.suffixes(self.primary())

    def suffixes(self, found: tree.Node) -> tree.Node:
        length = 0
        while self.token.kind == "sign" and self.token.text in (".", ".?", "[", "[?"):
            length += 1
            if length > LONGEST_CHAIN:
                raise CelError(f"expression recursion limit exceeded: {LONGEST_CHAIN}", self.token.at)
            sign = self.advance()
            if sign.text in ("[", "[?"):
                key = self.expression()
                self.expect("]")
                found = tree.Index(sign.at, found, key, sign.text == "[?")
            else:
                found = self.field(found, sign)
        return found

    def field(self, operand: tree.Node, dot: Token) -> tree.Node:
        if self.token.kind not in ("name", "quoted") or self.token.text == "in":
            raise self.unexpected()
        name = self.advance().text
        if dot.text == "." and self.at("("):
            at = self.advance().at
            if operand == tree.Name(operand.at, "cel") and name == "bind":
                return self.bind(at)
            if name in LOOPS:
                return self.method(at, operand, name)
            return tree.Call(at, name, self.arguments(")"), operand)
        if self.at("{"):
            raise CelError(MESSAGES, self.token.at)
        return tree.Select(dot.at, operand, name, dot.text == ".?")

    def method(self, at: int, operand: tree.Node, name: str) -> tree.Node:
        arguments = self.arguments(")")
        for names, steps in LOOPS[name]:
            if len(arguments) == names + steps:
                bound = self.names(arguments[:names], name)
                return tree.Loop(at, name, operand, bound, arguments[names:])
        return tree.Call(at, name, arguments, operand)

    def names(self, arguments: tuple[tree.Node, ...], macro: str) -> tuple[str, ...]:
        for argument in arguments:
            if not isinstance(argument, tree.Name):
                raise CelError(f"the argument of {macro} has to be a simple name", argument.at)
        found = tuple([argument.name for argument in arguments if isinstance(argument, tree.Name)])
        if len(set(found)) < len(found):
            raise CelError(f"the names of {macro} have to differ", arguments[1].at)
        return found

    def bind(self, at: int) -> tree.Node:
        arguments = self.arguments(")")
        if len(arguments) != 3 or not isinstance(arguments[0], tree.Name):
            raise CelError("cel.bind() takes a name, a value and an expression", at)
        return tree.Bind(at, arguments[0].name, arguments[1], arguments[2])

    def arguments(self, end: str) -> tuple[tree.Node, ...]:
        found: list[tree.Node] = []
        while not self.took(end):
            if found:
                self.expect(",")
            found.append(self.expression())
        return tuple(found)

    def primary(self) -> tree.Node:
        token = self.token
        if token.kind == "literal":
            if type(token.value) is int and token.value > LARGEST_INT:
                raise CelError("invalid int literal", token.at)
            self.advance()
            return tree.Literal(token.at, token.value)
        if token.kind == "name":
            return self.name()
        match token.text:
            case "(":
                self.advance()
                found = self.expression()
                self.expect(")")
                return found
            case "[" | "[?":
                return self.list_of()
            case "{" | "{?":
                return self.map_of()
            case "." if self.words[self.next + 1].kind == "name":
                self.advance()
                return self.name()
            case _:
                raise self.unexpected()

    def name(self) -> tree.Node:
        token = self.advance()
        if token.text in RESERVED or token.text == "in":
            raise CelError(f"reserved identifier: {token.text}", token.at)
        if self.at("{"):
            raise CelError(MESSAGES, self.token.at)
        if not self.at("("):
            return tree.Name(token.at, token.text)
        at = self.advance().at
        arguments = self.arguments(")")
        return self.presence(at, arguments) if token.text == "has" else tree.Call(at, token.text, arguments)

    def presence(self, at: int, arguments: tuple[tree.Node, ...]) -> tree.Node:
        match arguments:
            case (tree.Select(_, operand, field, False),):
                return tree.Presence(at, operand, field)
            case _:
                raise CelError("invalid argument to has() macro", arguments[0].at if arguments else at)

    def list_of(self) -> tree.Node:
        sign, items = self.advance(), list[tree.Item]()
        optional = sign.text == "[?"
        while optional or not self.took("]"):
            optional = self.took("?") or optional
            items.append(tree.Item(self.expression(), optional))
            optional = self.another("]")
        return tree.ListOf(sign.at, tuple(items))

    def map_of(self) -> tree.Node:
        sign, entries = self.advance(), list[tree.Entry]()
        optional = sign.text == "{?"
        while optional or not self.took("}"):
            optional = self.took("?") or optional
            key = self.expression()
            at = self.token.at
            self.expect(":")
            entries.append(tree.Entry(at, key, self.expression(), optional))
            optional = self.another("}")
        return tree.MapOf(sign.at, tuple(entries))

    def another(self, end: str) -> bool:
        """Read what stands between two parts, a comma and perhaps `?`; say whether it was `?`."""
        if self.at(end):
            return False
        self.expect(",")
        return self.took("?")
