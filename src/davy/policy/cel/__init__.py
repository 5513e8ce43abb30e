"""CEL as the Kubernetes API server evaluates it, compiled to Python.

    program = compile("object.spec.replicas <= 5", {"object": DYN})
    program.evaluate({"object": manifest})

An evaluation has no side effects, reads no clock and no environment, and is bounded in steps, memory and depth.
It ends in a value or in a `CelError`. Objects are used as they are: nothing is copied or converted.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from davy.policy.cel.budget import EXPRESSION_STEPS, Budget
from davy.policy.cel.compiler import Run, compile_tree
from davy.policy.cel.environment import ENVIRONMENTS, Environment
from davy.policy.cel.errors import CelError, OutOfBudget
from davy.policy.cel.parser import parse
from davy.policy.cel.types import DYN, Type
from davy.policy.cel.values import Duration, Instant, Optional, Value

__all__ = [
    "DYN",
    "Budget",
    "CelError",
    "Duration",
    "Instant",
    "Optional",
    "OutOfBudget",
    "Program",
    "Type",
    "compile",
]

Dialect = Literal["kubernetes", "kyverno"]

MISHAPS = (CelError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError)
"""What the fast way to run may raise where the careful one knows the answer."""


class Program:
    """An expression that was compiled. `result` is the type of what it gives."""

    __slots__ = ("_careful", "_environment", "_fast", "_variables", "expression", "result")

    def __init__(self, expression: str, environment: Environment, variables: Mapping[str, Type]) -> None:
        self.expression = expression
        self._environment = environment
        self._variables = variables
        self._careful: Run | None = None
        self._fast, self.result = _compiled(expression, environment, variables, careful=False)

    def evaluate(self, variables: Mapping[str, Value], budget: Budget | None = None) -> Value:
        """Return the value of the expression; the same arguments give the same value.

        Args:
            variables: what the names stand for, as JSON.
            budget: what several evaluations may take together; each of them may take a million steps.

        Raises:
            CelError: it ends in an error, with its place in the expression.
            OutOfBudget: it takes too much work.
        """
        limit = EXPRESSION_STEPS if budget is None else min(budget.left, EXPRESSION_STEPS)
        own = Budget(limit)
        try:
            return self._fast(variables, own)
        except OutOfBudget as error:
            raise error.within(self.expression) from None
        except MISHAPS:
            own.left = limit
            return self._carefully(variables, own)
        finally:
            if budget is not None:
                budget.left -= limit - own.left

    def _carefully(self, variables: Mapping[str, Value], budget: Budget) -> Value:
        if self._careful is None:
            self._careful, _ = _compiled(self.expression, self._environment, self._variables, careful=True)
        try:
            return self._careful(variables, budget)
        except CelError as error:
            raise error.within(self.expression) from None
        except RecursionError:
            raise CelError("the values are nested too deeply").within(self.expression) from None


def compile(
    expression: str, declarations: Mapping[str, Type] | Iterable[str], environment: Dialect = "kubernetes"
) -> Program:
    """Compile an expression.

    Args:
        expression: what is written.
        declarations: the variables it may use: their types, or only their names if nothing is known of them.
        environment: which functions and macros there are.

    Raises:
        CelError: the API server would not take it: unreadable, undeclared, or types that clash.
    """
    if not isinstance(declarations, Mapping):
        declarations = dict.fromkeys(declarations, DYN)
    return Program(expression, ENVIRONMENTS[environment], declarations)


def _compiled(
    expression: str, environment: Environment, variables: Mapping[str, Type], *, careful: bool
) -> tuple[Run, Type]:
    try:
        return compile_tree(parse(expression), environment, variables, careful=careful)
    except CelError as error:
        raise error.within(expression) from None
    except RecursionError:
        raise CelError("expression recursion limit exceeded").within(expression) from None
