"""Questions: the statements of a query, compiled as the body of a rule that remembers how it held."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from davy.policy.rego.answer import Answer
from davy.policy.rego.errors import Place
from davy.policy.rego.lower import Lowering
from davy.policy.rego.lowered import Invoke, Step, Test, Unify
from davy.policy.rego.parser import parse_query
from davy.policy.rego.runtime import Evaluation
from davy.policy.rego.terms import Literal, Statement, Term
from davy.policy.rego.values import Value

if TYPE_CHECKING:
    from davy.policy.rego.compiler import Compiler


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query. `written` are the texts and places of its expressions."""

    written: tuple[tuple[str, Place], ...]
    function: Callable[[Evaluation, list[Answer]], None]
    documents: Mapping[int, Callable[..., Value]]

    def run(self, evaluation: Evaluation) -> Sequence[Answer]:
        """Find every answer."""
        found: list[Answer] = []
        evaluation.documents = self.documents
        self.function(evaluation, found)
        return found

    @classmethod
    def compiled(cls, compiler: "Compiler", text: str) -> "Query":
        """Compile a query against a policy.

        Raises:
            BadRego: it makes no sense.
        """
        body = parse_query(text, v1=compiler.v1)
        lowering = Lowering({"input": ("input",), "data": ("data",)}, compiler.is_function, compiler.arity)
        blocks, names = lowering.query(body)
        alone = len(body) == 1
        steps: list[Step] = []
        values: list[Term] = []
        for statement, block in zip(body, blocks, strict=True):
            captured, value = capture(lowering, statement, block, alone)
            steps += captured
            values.append(value)
        written = tuple((statement.text, statement.place) for statement in body)
        return cls(written, *compiler.question(tuple(steps), values, names))


def capture(
    lowering: Lowering, statement: Statement, block: Sequence[Step], alone: bool
) -> tuple[list[Step], Term]:
    """Remember what the last step of a statement comes to; one expression alone may be false."""
    if not block:
        return [], Literal(True, statement.place)
    *before, last = block
    var = lowering.scope.generated(statement.place)
    captured: Step
    match last:
        case Test(term, place, False, overrides):
            captured = Unify(var, term, place, False, overrides)
        case Invoke(function, arguments, None, place, False, overrides):
            captured = Invoke(function, arguments, var, place, False, overrides)
        case _:
            return list(block), Literal(True, statement.place)
    truth = [] if alone else [Test(var, statement.place, False, ())]
    return [*before, captured, *truth], var
