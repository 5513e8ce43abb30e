"""Expressions: the language of conditions, expr-lang 1.17, read once and evaluated without risk.

    expression = compile("result[0] <= 0.02 and len(result) > 0")
    expression.evaluate({"result": (0.01,)})

Evaluation has no side effects, reads no clock, and is bounded in steps, depth and memory. It gives what
expr-lang 1.17.8 gives, but for these, which it refuses and expr-lang does not:

- `and` and `or` with a right side that is no bool, `sort` of no array, `map` and its like over a map;
- a function without its call (`len > 0`, `let f = isNaN; f(1)`), `let` over a name of the language;
- a date without a year, a zone's abbreviation other than UTC and GMT, the zone "Local";
- more work than its steps pay for, where expr-lang has a budget of its own.

Errors keep the words of expr-lang where it has words; what are panics of Go there is said in plain ones here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite

from davy.analysis.expression import syntax
from davy.analysis.expression.builtins import BUILTINS, PREDICATES
from davy.analysis.expression.checker import Checker
from davy.analysis.expression.evaluator import compile_tree
from davy.analysis.expression.faults import EvaluationError, ExpressionError, Fault
from davy.analysis.expression.frame import Frame, Run
from davy.analysis.expression.kinds import Function, Kind, Signature, kind_of
from davy.analysis.expression.meter import Meter
from davy.analysis.expression.moments import SECOND, Instant
from davy.analysis.expression.parser import parse
from davy.analysis.expression.values import admitted, released

DEFAULT_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class Call:
    """A call in an expression: for linters, which look for functions that do not do what they seem to.

    Args:
        name: the function.
        position: where its name begins.
        on_result: whether its first argument is exactly `result`, and not a part of it.
        of_language: whether the function is one of the language's own.
    """

    name: str
    position: int
    on_result: bool
    of_language: bool


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """An expression that has been read; `compile` makes it."""

    source: str
    tree: syntax.Node = field(repr=False)
    _run: Run = field(repr=False)
    _facts: "_Facts" = field(repr=False)

    def evaluate(
        self, variables: Mapping[str, object], *, steps: int = DEFAULT_STEPS, now: float | None = None
    ) -> object:
        """Return the value of the expression; the same arguments give the same value.

        Args:
            variables: what the names stand for: None, bool, int, float, str, bytes, list, tuple (an array of
                one type, as a vector of samples is), mappings with keys of text, and `Function`.
            steps: the work that the evaluation may take.
            now: the time that `now()` returns, in seconds since 1970.

        Raises:
            EvaluationError: a name is missing, types do not fit, or the work is too much.
        """
        try:
            meter = Meter(steps, None if now is None else _instant(now))
            given = self._given(variables)
            _check(self, tuple(given), tuple([_known(value) for value in given.values()]))
            meter.spend(self._facts.size)
            value = self._run(Frame(given, meter, [None] * self._facts.most_locals))
            return value if type(value) is bool else released(value, meter)
        except Fault as fault:
            raise EvaluationError(
                fault.message, source=self.source, position=fault.position or 0, hint=fault.hint
            ) from None

    def names(self) -> frozenset[str]:
        """Return the variables that it needs; the functions that it calls are in `calls`."""
        return self._facts.names

    def calls(self) -> tuple[Call, ...]:
        """Return the calls in it, of the language's functions and of others, in the order of their places."""
        return self._facts.calls

    def position_of(self, name: str) -> int:
        """Return where a variable or a function of the caller's stands in the text."""
        return self._facts.needs[name]

    def _given(self, variables: Mapping[str, object]) -> dict[str, object]:
        """Return the variables that the expression can reach, as values of the language."""
        facts = self._facts
        for name, position in facts.declares:
            if name in variables:
                raise Fault(f"cannot redeclare {name}", "choose another name").at(position)
        for name in facts.needs:
            if name not in variables:
                known = f"known are: {', '.join(sorted(variables))}" if variables else ""
                hint = f"call it: {name}(…)" if name in BUILTINS or name in PREDICATES else known
                raise Fault(f"unknown name {name}", hint).at(facts.needs[name])
        return {name: admitted(variables[name]) for name in (variables if facts.takes_all else facts.needs)}


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of an expression before it is evaluated; `needs` and `declares` give each name a place."""

    size: int
    most_locals: int
    names: frozenset[str]
    calls: tuple[Call, ...]
    needs: Mapping[str, int]
    declares: tuple[tuple[str, int], ...]
    takes_all: bool


def compile(source: str) -> Expression:
    """Read an expression.

    Raises:
        ExpressionError: the text is no expression; `position`, `line`, `column` and the message show where.
    """
    tree = parse(source)
    run, most_locals = compile_tree(tree)
    return Expression(source, tree, run, _facts(tree, most_locals))


def _facts(tree: syntax.Node, most_locals: int) -> _Facts:
    nodes = [node for node, _ in syntax.walk(tree)]
    names = {node.name: node.position for node in nodes if isinstance(node, syntax.Name)}
    takes_all = names.pop("$env", None) is not None
    functions = {node.name: node.position for node in nodes if isinstance(node, syntax.Call)}
    calls = [
        Call(node.name, node.position, _on_result(node.arguments), isinstance(node, syntax.Builtin))
        for node in nodes
        if isinstance(node, (syntax.Call, syntax.Builtin))
    ]
    return _Facts(
        size=len(nodes),
        most_locals=most_locals,
        names=frozenset(names),
        calls=tuple(sorted(calls, key=lambda call: call.position)),
        needs=functions | names,
        declares=tuple((node.name, node.position) for node in nodes if isinstance(node, syntax.Let)),
        takes_all=takes_all,
    )


def _on_result(arguments: tuple[syntax.Node, ...]) -> bool:
    return bool(arguments) and isinstance(arguments[0], syntax.Name) and arguments[0].name == "result"


def _instant(now: float) -> Instant:
    if not isfinite(now):
        raise Fault("the time now is no number")
    return Instant(round(now * SECOND))


def _known(value: object) -> Kind | Signature:
    return value.signature if type(value) is Function else kind_of(value)


@lru_cache(maxsize=4096)
def _check(expression: Expression, names: tuple[str, ...], kinds: tuple[Kind | Signature, ...]) -> None:
    """Refuse what cannot fit; the same expression meets the same kinds of values again and again."""
    Checker(dict(zip(names, kinds, strict=True))).check(expression.tree)


__all__ = [
    "DEFAULT_STEPS",
    "Call",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "Fault",
    "Function",
    "Kind",
    "Signature",
    "compile",
]
