"""Read an expression: precedence climbing over the tokens, as expr-lang 1.17 does it.

The grammar and the precedences are those of https://expr-lang.org/docs/language-definition. Three bounds keep
any text harmless: its length, its number of nodes, and how deep it nests, on which every later pass relies.
"""

from typing import Final, cast

from davy.analysis.expression import syntax
from davy.analysis.expression.builtins import BUILTINS, PREDICATES
from davy.analysis.expression.faults import ExpressionError
from davy.analysis.expression.tokens import WORD_OPERATORS, Token, TokenKind, tokenize

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
_HINTS: Final = {
    "=": "write == to compare",
    "&": "write and, or &&",
    ":": "a conditional is written test ? yes : no",
    "AND": "write and",
    "OR": "write or",
    "NOT": "write not",
    "IN": "write in",
}


def parse(source: str) -> syntax.Node:
    """Return the tree of the expression; raise `ExpressionError` with the place where it stops making sense."""
    if len(source) > MAX_LENGTH:
        raise ExpressionError(
            f"the expression is longer than {MAX_LENGTH} characters",
            source=source[:MAX_LENGTH],
            position=MAX_LENGTH,
        )
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokenize(source)
        self._at = 0
        self._nesting = 0
        # What can be named after # in each predicate around, innermost last.
        self._predicates: list[frozenset[str]] = []
        self._locals: list[str] = []

    def whole(self) -> syntax.Node:
        node = self._sequence()
        if self._current.kind is not TokenKind.END:
            raise self._unexpected()
        for count, (below, depth) in enumerate(syntax.walk(node), start=1):
            if depth > MAX_TREE_DEPTH:
                raise self._failure(
                    f"more than {MAX_TREE_DEPTH} operations build on one another", below.position
                )
            if count > MAX_NODES:
                raise self._failure(f"the expression has more than {MAX_NODES} parts", below.position)
        return node

    # Words

    @property
    def _current(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._current
        self._at += 1
        return token

    def _is(self, *texts: str) -> bool:
        token = self._current
        return token.kind in (TokenKind.OPERATOR, TokenKind.BRACKET) and token.text in texts

    def _skip(self, text: str) -> bool:
        if self._is(text):
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> Token:
        if not self._is(text):
            raise self._unexpected(f"{text} is missing before {self._current}")
        return self._next()

    def _expect_name(self) -> Token:
        if self._current.kind is not TokenKind.NAME:
            raise self._unexpected(f"a name is missing before {self._current}")
        return self._next()

    def _failure(self, message: str, position: int, hint: str = "") -> ExpressionError:
        return ExpressionError(message, source=self._source, position=position, hint=hint)

    def _unexpected(self, message: str = "") -> ExpressionError:
        token = self._current
        return self._failure(message or f"unexpected {token}", token.position, _HINTS.get(token.text, ""))

    # Expressions

    def _sequence(self) -> syntax.Node:
        first = self._expression(0)
        items = [first]
        while self._skip(";"):
            if self._current.kind is TokenKind.END:
                break
            items.append(self._expression(0))
        return first if len(items) == 1 else syntax.Sequence(first.position, tuple(items))

    def _expression(self, precedence: int) -> syntax.Node:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise self._failure(
                f"the expression nests deeper than {MAX_NESTING} levels", self._current.position
            )
        if precedence == 0 and self._is("let"):
            node = self._let()
        elif precedence == 0 and self._is("if"):
            node = self._if()
        else:
            node = self._binary(self._primary(), precedence)
            if precedence == 0:
                node = self._conditional(node)
        self._nesting -= 1
        return node

    def _let(self) -> syntax.Node:
        position = self._next().position
        name = self._expect_name()
        if (
            name.text in BUILTINS
            or name.text in PREDICATES
            or name.text in self._locals
            or name.text in _LITERAL_NAMES
        ):
            raise self._failure(f"cannot redeclare {name.text}", name.position, "choose another name")
        self._expect("=")
        value = self._expression(0)
        self._expect(";")
        self._locals.append(name.text)
        body = self._sequence()
        self._locals.pop()
        return syntax.Let(position, name.text, value, body)

    def _if(self) -> syntax.Node:
        position = self._next().position
        test = self._expression(0)
        yes = self._braced()
        self._expect("else")
        no = self._expression(0) if self._is("if") else self._braced()
        return syntax.Conditional(position, test, yes, no)

    def _braced(self) -> syntax.Node:
        self._expect("{")
        node = self._sequence()
        self._expect("}")
        return node

    def _conditional(self, node: syntax.Node) -> syntax.Node:
        while self._is("?"):
            self._next()
            yes = None
            if not self._is(":"):
                yes = self._expression(0)
            self._expect(":")
            node = syntax.Conditional(node.position, node, yes, self._expression(0))
        return node

    def _binary(self, left: syntax.Node, precedence: int) -> syntax.Node:
        before = ""
        while (token := self._current).kind is TokenKind.OPERATOR:
            negated = token.text == "not"
            operator = self._tokens[self._at + 1] if negated else token
            if negated and not (operator.kind is TokenKind.OPERATOR and operator.text in _NEGATABLE):
                self._next()
                raise self._unexpected()
            if _BINARY.get(operator.text, -1) < precedence:
                break
            self._at += 2 if negated else 1
            if before == "??" and operator.text not in ("??", "|"):
                raise self._failure(
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
            return self._call(self._expect_name(), (left,))
        if operator.text in _ORDERINGS:
            return self._ordering(left, operator)
        precedence = _BINARY[operator.text] + (operator.text not in _RIGHT_ASSOCIATIVE)
        return syntax.Binary(operator.position, _binary_operator(operator), left, self._expression(precedence))

    def _ordering(self, first: syntax.Node, operator: Token) -> syntax.Node:
        precedence = _BINARY[operator.text] + 1
        links = [(operator.position, _binary_operator(operator), self._expression(precedence))]
        while self._current.kind is TokenKind.OPERATOR and self._current.text in _ORDERINGS:
            operator = self._next()
            links.append((operator.position, _binary_operator(operator), self._expression(precedence)))
        if len(links) == 1:
            return syntax.Binary(*links[0][:2], first, links[0][2])
        return syntax.Between(first.position, first, tuple(links))

    # Operands

    def _primary(self) -> syntax.Node:
        token = self._current
        if token.kind is TokenKind.OPERATOR and token.text in _UNARY:
            self._next()
            operand = self._expression(_UNARY[token.text])
            operator = cast(syntax.UnaryOperator, _SPELLINGS.get(token.text, token.text))
            return self._postfix(syntax.Unary(token.position, operator, operand))
        if self._skip("("):
            inner = self._sequence()
            self._expect(")")
            return self._postfix(inner)
        if self._predicates and self._is("#", "."):
            return self._postfix(self._pointer())
        if self._skip("::"):
            return self._postfix(self._call(self._expect_name(), ()))
        return self._operand()

    def _pointer(self) -> syntax.Node:
        position = self._current.position
        name = ""
        if self._skip("#") and self._current.kind is TokenKind.NAME:
            name = self._next().text
            if name not in self._predicates[-1]:
                raise self._failure(
                    f"unknown pointer #{name}", position, "map has #index, reduce #index and #acc"
                )
        return syntax.Pointer(position, name)

    def _operand(self) -> syntax.Node:
        token = self._current
        match token.kind:
            case TokenKind.NAME if token.text in _LITERAL_NAMES:
                self._next()
                return syntax.Constant(token.position, _LITERAL_NAMES[token.text])
            case TokenKind.NAME:
                self._next()
                if self._is("("):
                    return self._postfix(self._call(token, ()))
                variable = syntax.Local if token.text in self._locals else syntax.Name
                return self._postfix(variable(token.position, token.text))
            case TokenKind.NUMBER:
                self._next()
                return syntax.Constant(token.position, token.value)
            case TokenKind.STRING | TokenKind.BYTES:
                self._next()
                return self._postfix(syntax.Constant(token.position, token.value))
        if self._is("["):
            return self._postfix(self._array())
        if self._is("{"):
            return self._postfix(self._map())
        raise self._unexpected()

    def _array(self) -> syntax.Node:
        position = self._next().position
        items: list[syntax.Node] = []
        while not self._is("]"):
            if items:
                self._expect(",")
                if self._is("]"):
                    break
            items.append(self._expression(0))
        self._expect("]")
        return syntax.Array(position, tuple(items))

    def _map(self) -> syntax.Node:
        position = self._next().position
        pairs: list[tuple[syntax.Node, syntax.Node]] = []
        while not self._is("}"):
            if pairs:
                self._expect(",")
                if self._is("}"):
                    break
            key = self._map_key()
            self._expect(":")
            pairs.append((key, self._expression(0)))
        self._expect("}")
        return syntax.Map(position, tuple(pairs))

    def _map_key(self) -> syntax.Node:
        token = self._current
        if self._skip("("):
            key = self._expression(0)
            self._expect(")")
            return key
        if token.kind not in (TokenKind.STRING, TokenKind.NUMBER, TokenKind.NAME):
            raise self._unexpected(f"a key is a name, a string, a number or (an expression), not {token}")
        self._next()
        return syntax.Constant(token.position, token.value if token.kind is TokenKind.STRING else token.text)

    # What follows an operand

    def _postfix(self, node: syntax.Node) -> syntax.Node:
        while self._is(".", "?.", "["):
            token = self._next()
            optional = token.text == "?."
            if token.text == "[" or (optional and self._skip("[")):
                node = self._index(node, token.position, optional=optional)
            else:
                node = self._member(node, token.position, optional=optional)
        return node

    def _member(self, node: syntax.Node, position: int, *, optional: bool) -> syntax.Node:
        name = self._next_property()
        chained = isinstance(node, syntax.Chain) or optional
        base = node.body if isinstance(node, syntax.Chain) else node
        if self._is("("):
            member: syntax.Node = syntax.Method(position, base, name, self._arguments(), optional)
        else:
            member = syntax.Member(position, base, syntax.Constant(position, name), optional)
        return syntax.Chain(position, member) if chained else member

    def _next_property(self) -> str:
        token = self._current
        if token.kind is not TokenKind.NAME and token.text not in WORD_OPERATORS:
            raise self._unexpected(f"a name is missing before {token}")
        return self._next().text

    def _index(self, node: syntax.Node, position: int, *, optional: bool) -> syntax.Node:
        start = None if self._is(":") else self._expression(0)
        if self._skip(":"):
            stop = None if self._is("]") else self._expression(0)
            self._expect("]")
            return syntax.Slice(position, node, start, stop)
        self._expect("]")
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
                raise self._failure(f"{name.text} takes {builtin.arity}, not {len(arguments)}", name.position)
            return syntax.Builtin(name.position, name.text, arguments)
        if name.text in self._locals:
            raise self._failure(f"{name.text} is no function", name.position)
        return syntax.Call(name.position, name.text, arguments)

    def _arguments(self) -> tuple[syntax.Node, ...]:
        self._expect("(")
        arguments: list[syntax.Node] = []
        while not self._is(")"):
            if arguments:
                self._expect(",")
                if self._is(")"):
                    break
            arguments.append(self._expression(0))
        self._expect(")")
        return tuple(arguments)

    def _predicate_call(self, name: Token, piped: tuple[syntax.Node, ...], parameters: str) -> syntax.Node:
        """Read the arguments by their pattern: expression or predicate, in capitals what may be left out."""
        self._expect("(")
        arguments = list(piped)
        for parameter in parameters[len(piped) :]:
            if self._is(")") and parameter.isupper():
                break
            if len(arguments) > len(piped):
                self._expect(",")
            arguments.append(self._predicate(name) if parameter in "pP" else self._expression(0))
        self._skip(",")
        self._expect(")")
        return syntax.Builtin(name.position, name.text, tuple(arguments))

    def _predicate(self, function: Token) -> syntax.Node:
        position = self._current.position
        self._predicates.append(PREDICATES[function.text].pointers)
        if self._is("{"):
            body = self._braced()
        else:
            body = self._expression(0)
            if self._is(";"):
                raise self._failure(
                    "a predicate of several expressions stands in { and }", self._current.position
                )
        self._predicates.pop()
        return syntax.Predicate(position, body)


def _binary_operator(token: Token) -> syntax.BinaryOperator:
    return cast(syntax.BinaryOperator, _SPELLINGS.get(token.text, token.text))
