"""The compiled policy: what is asked of it, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from davy.policy.rego.answer import Answer
from davy.policy.rego.budget import Budget, BudgetExceeded
from davy.policy.rego.builtin import Builtin, Context
from davy.policy.rego.builtins import BUILTINS
from davy.policy.rego.compiler import Compiler, Program
from davy.policy.rego.errors import NOWHERE, BadRego, EvaluationError, OverBudget
from davy.policy.rego.query import Query
from davy.policy.rego.runtime import Evaluation
from davy.policy.rego.values import UNDEFINED, Value, to_json

Version = Literal["v0", "v1"]

KEPT_QUERIES = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """What one evaluation may spend: turns of loops and calls, and characters of long texts."""

    steps: int = 10_000_000
    size: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Policy:
    """Modules, compiled. It is never changed, and may be asked by many threads at once."""

    program: Program
    version: Version
    limits: Limits
    _queries: dict[str, Query]

    def rule(self, path: str) -> "Prepared":
        """Find a document once, to ask for it often.

        Raises:
            BadRego: no rule makes a document of that path.
        """
        names = tuple(path.removeprefix("data.").split("."))
        document = self.program.compiler.document(names)
        if document is None or document.kind == "function" or document.path != names:
            raise BadRego("rego_compile_error", f"no rule makes data.{'.'.join(names)}", NOWHERE)
        return Prepared(self, self.program.functions[document.number])

    def query(
        self, path: str, input: Value = UNDEFINED, data: Value = None, *, context: Context | None = None
    ) -> Value:
        """Ask for the value of a reference or of any expression: `data.p.rule`, `p.rule`, `count(data.p.q)`.

        Args:
            path: what is asked; a path without `data` or `input` in front is one of `data`.
            input: what the policy is asked about, as JSON.
            data: what it knows beside.
            context: what builtins may know: the time, where random numbers begin.

        Returns:
            JSON, sets as sorted arrays; `UNDEFINED` where there is no value.

        Raises:
            BadRego: the question makes no sense.
            EvaluationError: it cannot be answered.
        """
        text = path if path.startswith(("data", "input")) or not _is_path(path) else f"data.{path}"
        query = self.prepared(text)

        def first(evaluation: Evaluation) -> Value:
            answers = query.run(evaluation)
            return to_json(answers[0].expressions[-1]) if answers else UNDEFINED

        return self.guarded(first, input, data, context)

    def ask(
        self, text: str, input: Value = UNDEFINED, data: Value = None, *, context: Context | None = None
    ) -> Sequence[Answer]:
        """Ask a whole query, several expressions with variables; every way in which it holds is an answer.

        Raises:
            BadRego: the question makes no sense.
            EvaluationError: it cannot be answered.
        """
        query = self.prepared(text)
        found: Sequence[Answer] = self.guarded(query.run, input, data, context)
        return found

    def prepared(self, text: str) -> Query:
        """Compile a query, or find it among those compiled of late."""
        found = self._queries.get(text)
        if found is None:
            try:
                found = Query.compiled(self.program.compiler, text)
            except (RecursionError, SyntaxError, MemoryError):
                raise BadRego("rego_compile_error", "something is nested too deep", NOWHERE) from None
            if len(self._queries) >= KEPT_QUERIES:
                self._queries.clear()
            self._queries[text] = found
        return found

    def guarded(
        self, run: Callable[[Evaluation], Any], input: Value, data: Value, context: Context | None = None
    ) -> Any:
        """Run something with a budget of its own; nothing is remembered from one time to the next."""
        budget = Budget(self.limits.steps, self.limits.size)
        if context is not None:
            context.budget = budget
        evaluation = Evaluation(input, {} if data is None else data, budget, context, self.program.functions)
        try:
            return run(evaluation)
        except BudgetExceeded as error:
            raise OverBudget(str(error)) from error
        except (ArithmeticError, ValueError, MemoryError) as error:
            sentence = f"a builtin cannot deal with what it is given: {error}"
            raise EvaluationError("eval_builtin_error", sentence) from error
        except (RecursionError, SyntaxError):  # Python itself nests no deeper
            raise OverBudget("the values are nested deeper than an evaluation may follow") from None


@dataclass(frozen=True, slots=True)
class Prepared:
    """One document of a policy, ready to be asked for."""

    policy: Policy
    function: Callable[[Evaluation], Value]

    def __call__(self, input: Value, data: Value = None, context: Context | None = None) -> Value:
        """Return the value as it is, sets as `RegoSet`.

        Raises:
            EvaluationError: there is none, since rules contradict each other or take too long.
        """
        return self.policy.guarded(self.function, input, data, context)


def compile(
    modules: Mapping[str, str] | Sequence[str] | str,
    version: Version = "v0",
    *,
    limits: Limits = Limits(),
    builtins: Mapping[str, Builtin] = BUILTINS,
) -> Policy:
    """Compile Rego.

    Args:
        modules: the texts, by the name that errors give them.
        version: the Rego that modules are written in: Gatekeeper's templates are v0 unless they say otherwise.
        limits: what one evaluation may spend.
        builtins: the functions that rules may call.

    Raises:
        BadRego: a text is no Rego, or cannot be compiled; never is any of it left out.
    """
    if isinstance(modules, str):
        modules = [modules]
    if not isinstance(modules, Mapping):
        modules = {f"module{at}.rego": text for at, text in enumerate(modules, start=1)}
    try:
        program = Compiler(modules, v1=version == "v1", builtins=builtins).program()
    except (RecursionError, SyntaxError, MemoryError):
        raise BadRego("rego_compile_error", "something is nested too deep", NOWHERE) from None
    return Policy(program, version, limits, {})


def _is_path(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))
