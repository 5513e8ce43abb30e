"""Read an expression: precedence climbing over the tokens, as expr-lang 1.17 does it.

The grammar and the precedences are those of https://expr-lang.org/docs/language-definition. Three bounds keep
any text harmless: its length, its number of nodes, and how deep it nests, on which every later pass relies.
"""

from typing import Final, cast

from davy.analysis.expression import syntax
from davy.analysis.expression.builtins import BUILTINS, PREDICATES
from davy.analysis.expression.cursor import Cursor
from davy.analysis.expression.faults import ExpressionError
from davy.analysis.expression.tokens import WORD_OPERATORS, Token, TokenKind

MAX_LENGTH: Final = 16_384
MAX_NODES: Final = 5_000
MAX_NESTING: Final = 60
MAX_TREE_DEPTH: Final = 120

_UNARY: Final = {"not": 50, "!": 50, "-": 90, "+": 90}
_BINARY: Final = {
    "|": 0,
    "or": 10, "||": 10,
    "and": 15, "&&": 15,
    "==": 20, "!=": 20, "<": 20, ">": 20, ">=": 20, "<=": 20,
    "in": 20, "matches": 20, "contains": 20, "startsWith": 20, "endsWith": 20,
    "..": 25,
    "+": 30, "-": 30,
    "*": 60, "/": 60, "%": 60,
    "**": 100, "^": 100,
    "??": 500,
}  # fmt: skip
_SPELLINGS: Final = {"||": "or", "&&": "and", "^": "**", "!": "not"}
_RIGHT_ASSOCIATIVE: Final = frozenset({"**", "^"})
_ORDERINGS: Final = frozenset({"<", "<=", ">", ">="})
_NEGATABLE: Final = frozenset({"in", "matches", "contains", "startsWith", "endsWith"})
_LITERAL_NAMES: Final = {"true": True, "false": False, "nil": None}


def parse(source: str) -> syntax.Node:
    """Return the tree of the expression; raise `ExpressionError` with the place where it stops making sense."""
    if len(source) > MAX_LENGTH:
        raise ExpressionError(
            f"the expression is longer than {MAX_LENGTH} characters",
            source=source[:MAX_LENGTH],
            position=MAX_LENGTH,
        )
    return _Parser(source).whole()


class _Parser(Cursor):
    def __init__(self, source: str) -> None:
        super().__init__(source)
        self._nesting = 0
        # What can be named after # in each predicate around, innermost last.
        self._predicates: list[frozenset[str]] = []
        self._locals: list[str] = []

    def whole(self) -> syntax.Node:
        node = self._sequence()
        if self.current.kind is not TokenKind.END:
            raise self.unexpected()
        for count, (below, depth) in enumerate(syntax.walk(node), start=1):
            if depth > MAX_TREE_DEPTH:
                raise self.failure(
                    f"more than {MAX_TREE_DEPTH} operations build on one another", below.position
                )
            if count > MAX_NODES:
                raise self.failure(f"the expression has more than {MAX_NODES} parts", below.position)
        return node

    # Expressions

    def _sequence(self) -> syntax.Node:
        first = self._expression(0)
        items = [first]
        while self.skip(";"):
            if self.current.kind is TokenKind.END:
                break
            items.append(self._expression(0))
        return first if len(items) == 1 else syntax.Sequence(first.position, tuple(items))

    def _expression(self, precedence: int) -> syntax.Node:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self.failure(f"the expression nests deeper than {MAX_NESTING} levels", self.current.position)
        if precedence == 0 and self.sees("let"):
            node = self._let()
        elif precedence == 0 and self.sees("if"):
            node = self._if()
        else:
            node = self._binary(self._primary(), precedence)
            if precedence == 0:
                node = self._conditional(node)
        self._nesting -= 1
        return node

    def _let(self) -> syntax.Node:
        position = self.advance().position
        name = self.expect_name()
        if (
            name.text in BUILTINS
            or name.text in PREDICATES
            or name.text in self._locals
            or name.text in _LITERAL_NAMES
        ):
            raise self.failure(f"cannot redeclare {name.text}", name.position, "choose another name")
        self.expect("=")
        value = self._expression(0)
        self.expect(";")
        self._locals.append(name.text)
        body = self._sequence()
        self._locals.pop()
        return syntax.Let(position, name.text, value, body)

    def _if(self) -> syntax.Node:
        position = self.advance().position
        test = self._expression(0)
        yes = self._braced()
        self.expect("else")
        no = self._expression(0) if self.sees("if") else self._braced()
        return syntax.Conditional(position, test, yes, no)

    def _braced(self) -> syntax.Node:
        self.expect("{")
        node = self._sequence()
        self.expect("}")
        return node

    def _conditional(self, node: syntax.Node) -> syntax.Node:
        while self.sees("?"):
            self.advance()
            yes = None
            if not self.sees(":"):
                yes = self._expression(0)
            self.expect(":")
            node = syntax.Conditional(node.position, node, yes, self._expression(0))
        return node

    def _binary(self, left: syntax.Node, precedence: int) -> syntax.Node:
        before = ""
        while (token := self.current).kind is TokenKind.OPERATOR:
            negated = token.text == "not"
            operator = self.following if negated else token
            if negated and not (operator.kind is TokenKind.OPERATOR and operator.text in _NEGATABLE):
                self.advance()
                raise self.unexpected()
            if _BINARY.get(operator.text, -1) < precedence:
                break
            self.advance()
            if negated:
                self.advance()
            if before == "??" and operator.text not in ("??", "|"):
                raise self.failure(
                    f"{operator.text} and ?? cannot be mixed",
                    operator.position,
                    "put one of them in parentheses",
                )
            left = self._operation(left, operator)
            if negated:
                left = syntax.Unary(token.position, "not", left)
            before = operator.text
        return left

    def _operation(self, left: syntax.Node, operator: Token) -> syntax.Node:
        if operator.text == "|":
            return self._call(self.expect_name(), (left,))
        if operator.text in _ORDERINGS:
            return self._ordering(left, operator)
        precedence = _BINARY[operator.text] + (operator.text not in _RIGHT_ASSOCIATIVE)
        return syntax.Binary(operator.position, _binary_operator(operator), left, self._expression(precedence))

    def _ordering(self, first: syntax.Node, operator: Token) -> syntax.Node:
        precedence = _BINARY[operator.text] + 1
        links = [(operator.position, _binary_operator(operator), self._expression(precedence))]
        while self.current.kind is TokenKind.OPERATOR and self.current.text in _ORDERINGS:
            operator = self.advance()
            links.append((operator.position, _binary_operator(operator), self._expression(precedence)))
        if len(links) == 1:
            return syntax.Binary(*links[0][:2], first, links[0][2])
        return syntax.Between(first.position, first, tuple(links))

    # Operands

    def _primary(self) -> syntax.Node:
        token = self.current
        if token.kind is TokenKind.OPERATOR and token.text in _UNARY:
            self.advance()
            operand = self._expression(_UNARY[token.text])
            operator = cast(syntax.UnaryOperator, _SPELLINGS.get(token.text, token.text))
            return self._postfix(syntax.Unary(token.position, operator, operand))
        if self.skip("("):
            inner = self._sequence()
            self.expect(")")
            return self._postfix(inner)
        if self._predicates and self.sees("#", "."):
            return self._postfix(self._pointer())
        if self.skip("::"):
            return self._postfix(self._call(self.expect_name(), ()))
        return self._operand()

    def _pointer(self) -> syntax.Node:
        position = self.current.position
        name = ""
        if self.skip("#") and self.current.kind is TokenKind.NAME:
            name = self.advance().text
            if name not in self._predicates[-1]:
                raise self.failure(
                    f"unknown pointer #{name}", position, "map has #index, reduce #index and #acc"
                )
        return syntax.Pointer(position, name)

    def _operand(self) -> syntax.Node:
        token = self.current
        match token.kind:
            case TokenKind.NAME if token.text in _LITERAL_NAMES:
                self.advance()
                return syntax.Constant(token.position, _LITERAL_NAMES[token.text])
            case TokenKind.NAME:
                self.advance()
                if self.sees("("):
                    return self._postfix(self._call(token, ()))
                variable = syntax.Local if token.text in self._locals else syntax.Name
                return self._postfix(variable(token.position, token.text))
            case TokenKind.NUMBER:
                self.advance()
                return syntax.Constant(token.position, token.value)
            case TokenKind.STRING | TokenKind.BYTES:
                self.advance()
                return self._postfix(syntax.Constant(token.position, token.value))
        if self.sees("["):
            return self._postfix(self._array())
        if self.sees("{"):
            return self._postfix(self._map())
        raise self.unexpected()

    def _array(self) -> syntax.Node:
        position = self.advance().position
        items: list[syntax.Node] = []
        while not self.sees("]"):
            if items:
                self.expect(",")
                if self.sees("]"):
                    break
            items.append(self._expression(0))
        self.expect("]")
        return syntax.Array(position, tuple(items))

    def _map(self) -> syntax.Node:
        position = self.advance().position
        pairs: list[tuple[syntax.Node, syntax.Node]] = []
        while not self.sees("}"):
            if pairs:
                self.expect(",")
                if self.sees("}"):
                    break
            key = self._map_key()
            self.expect(":")
            pairs.append((key, self._expression(0)))
        self.expect("}")
        return syntax.Map(position, tuple(pairs))

    def _map_key(self) -> syntax.Node:
        token = self.current
        if self.skip("("):
            key = self._expression(0)
            self.expect(")")
            return key
        if token.kind not in (TokenKind.STRING, TokenKind.NUMBER, TokenKind.NAME):
            raise self.unexpected(f"a key is a name, a string, a number or (an expression), not {token}")
        self.advance()
        return syntax.Constant(token.position, token.value if token.kind is TokenKind.STRING else token.text)

    # What follows an operand

    def _postfix(self, node: syntax.Node) -> syntax.Node:
        while self.sees(".", "?.", "["):
            token = self.advance()
            optional = token.text == "?."
            if token.text == "[" or (optional and self.skip("[")):
                node = self._index(node, token.position, optional=optional)
            else:
                node = self._member(node, token.position, optional=optional)
        return node

    def _member(self, node: syntax.Node, position: int, *, optional: bool) -> syntax.Node:
        name = self._next_property()
        chained = isinstance(node, syntax.Chain) or optional
        base = node.body if isinstance(node, syntax.Chain) else node
        if self.sees("("):
            member: syntax.Node = syntax.Method(position, base, name, self._arguments(), optional)
        else:
            member = syntax.Member(position, base, syntax.Constant(position, name), optional)
        return syntax.Chain(position, member) if chained else member

    def _next_property(self) -> str:
        token = self.current
        if token.kind is not TokenKind.NAME and token.text not in WORD_OPERATORS:
            raise self.unexpected(f"a name is missing before {token}")
        return self.advance().text

    def _index(self, node: syntax.Node, position: int, *, optional: bool) -> syntax.Node:
        start = None if self.sees(":") else self._expression(0)
        if self.skip(":"):
            stop = None if self.sees("]") else self._expression(0)
            self.expect("]")
            return syntax.Slice(position, node, start, stop)
        self.expect("]")
        assert start is not None
        member = syntax.Member(position, node, start, optional)
        return syntax.Chain(position, member) if optional else member

    # Calls

    def _call(self, name: Token, piped: tuple[syntax.Node, ...]) -> syntax.Node:
        if predicate := PREDICATES.get(name.text):
            return self._predicate_call(name, piped, predicate.parameters)
        arguments = piped + self._arguments()
        if builtin := BUILTINS.get(name.text):
            if not builtin.accepts(len(arguments)):
                raise self.failure(f"{name.text} takes {builtin.arity}, not {len(arguments)}", name.position)
            return syntax.Builtin(name.position, name.text, arguments)
        if name.text in self._locals:
            raise self.failure(f"{name.text} is no function", name.position)
        return syntax.Call(name.position, name.text, arguments)

    def _arguments(self) -> tuple[syntax.Node, ...]:
        self.expect("(")
        arguments: list[syntax.Node] = []
        while not self.sees(")"):
            if arguments:
                self.expect(",")
                if self.sees(")"):
                    break
            arguments.append(self._expression(0))
        self.expect(")")
        return tuple(arguments)

    def _predicate_call(self, name: Token, piped: tuple[syntax.Node, ...], parameters: str) -> syntax.Node:
        """Read the arguments by their pattern: expression or predicate, in capitals what may be left out."""
        self.expect("(")
        arguments = list(piped)
        for parameter in parameters[len(piped) :]:
            if self.sees(")") and parameter.isupper():
                break
            if len(arguments) > len(piped):
                self.expect(",")
            arguments.append(self._predicate(name) if parameter in "pP" else self._expression(0))
        self.skip(",")
        self.expect(")")
        return syntax.Builtin(name.position, name.text, tuple(arguments))

    def _predicate(self, function: Token) -> syntax.Node:
        position = self.current.position
        self._predicates.append(PREDICATES[function.text].pointers)
        if self.sees("{"):
            body = self._braced()
        else:
            body = self._expression(0)
            if self.sees(";"):
                raise self.failure(
                    "a predicate of several expressions stands in { and }", self.current.position
                )
        self._predicates.pop()
        return syntax.Predicate(position, body)


def _binary_operator(token: Token) -> syntax.BinaryOperator:
    return cast(syntax.BinaryOperator, _SPELLINGS.get(token.text, token.text))
