"""The part that all policies in CEL share: variables, conditions, and the validations that judge."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from davy.policy import cel
from davy.policy.cel import Budget, CelError, Dialect, Program, Type
from davy.policy.cel.errors import OutOfBudget
from davy.policy.cel.types import BOOL, DYN, STRING
from davy.policy.cel.values import Value
from davy.policy.gatekeeper.malformed import Malformed, listed, mapping, nearest, text
from davy.policy.review import Json, Object

POLICY_STEPS = 10_000_000
"""What all expressions of a policy may take together, as at the API server."""

LONGEST_MESSAGE = 5 * 1024
VALIDATION = ("expression", "message", "messageExpression", "reason")
ELSEWHERE = frozenset(
    (
        *("resource", "http", "images", "image", "globalContext", "generator", "user", "hash", "json", "yaml"),
        *("random", "x509", "time", "transform", "gzip", "imageData", "parseServiceAccount"),
        *("parseImageReference",),
    )
)
"""What Kyverno's expressions can reach that needs a cluster, a registry, or is not read here."""


@dataclass(frozen=True, slots=True)
class Objection:
    """What a policy has against an object; a `broken` one could not be evaluated."""

    message: str
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Validation:
    """One thing that has to be true, and what is said where it is not."""

    program: Program
    message: str
    message_program: Program | None

    def objection(self, values: Mapping[str, Value], budget: Budget) -> Objection | None:
        """Evaluate it.

        Raises:
            CelError: it ends in an error.
        """
        if self.program.evaluate(values, budget) is True:
            return None
        return Objection(self._written(values, budget) or self.message or self.default)

    @property
    def default(self) -> str:
        """What is said where nothing else is."""
        return f"failed expression: {self.program.expression.strip()}"

    def _written(self, values: Mapping[str, Value], budget: Budget) -> str:
        """Return what `messageExpression` gives; one that is empty, or on several lines, does not count."""
        if self.message_program is None:
            return ""
        try:
            found = self.message_program.evaluate(values, budget)
        except OutOfBudget:
            raise
        except CelError:
            return ""
        found = found.strip() if isinstance(found, str) else ""
        return "" if "\n" in found or len(found.encode(errors="replace")) > LONGEST_MESSAGE else found


@dataclass(frozen=True, slots=True)
class Checks:
    """The expressions of a policy.

    Args:
        lenient: errors are ignored (`failurePolicy: Ignore`) where else they refuse.
    """

    variables: Mapping[str, Program] = field(default_factory=dict)
    conditions: tuple[Program, ...] = ()
    validations: tuple[Validation, ...] = ()
    lenient: bool = False

    def objections(self, values: Mapping[str, Value]) -> list[Objection]:
        """Judge an object.

        Args:
            values: what `object`, `request` and so on stand for.
        """
        budget = Budget(POLICY_STEPS)
        known = {**values}
        known["variables"] = Variables(self.variables, known, budget)
        broken = self._condition(known, budget)
        if broken is not None:
            return broken
        found = []
        for validation in self.validations:
            try:
                objection = validation.objection(known, budget)
            except CelError as error:
                objection = self._ignored(_resulted(validation.program, error))
            if objection is not None:
                found.append(objection)
        return found

    def _condition(self, values: Mapping[str, Value], budget: Budget) -> list[Objection] | None:
        """Return what is to be said instead of a judgement, None where all conditions hold."""
        error: Objection | None = None
        for program in self.conditions:
            try:
                if program.evaluate(values, budget) is not True:
                    return []
            except CelError as raised:
                error = error or Objection(_resulted(program, raised).message, broken=True)
        if error is None:
            return None
        return [] if self.lenient else [error]

    def _ignored(self, objection: Objection) -> Objection | None:
        return None if self.lenient else objection


def _resulted(program: Program, error: CelError) -> Objection:
    return Objection(
        f"expression '{program.expression.strip()}' resulted in error: {error.message}", broken=True
    )


class Variables(Mapping[str, Value]):
    """`variables`: each is evaluated when it is first asked for, and once; `values` has this one in it."""

    def __init__(self, programs: Mapping[str, Program], values: Mapping[str, Value], budget: Budget) -> None:
        self._programs = programs
        self._values = values
        self._budget = budget
        self._known: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name in self._known:
            return self._known[name]
        try:
            found = self._known[name] = self._programs[name].evaluate(self._values, self._budget)
        except OutOfBudget:
            raise
        except CelError as error:
            raise CelError(f'composited variable "{name}" fails to evaluate: {error.message}') from None
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._programs)

    def __len__(self) -> int:
        return len(self._programs)


@dataclass(frozen=True, slots=True)
class Reader:
    """Compiles the expressions of one document.

    Args:
        declarations: the names an expression may use, and their types.
        kinds: the types of the variables that were read; later ones may use earlier ones.
    """

    dialect: Dialect
    declarations: Mapping[str, Type]
    kinds: dict[str, Type] = field(default_factory=dict)

    def variables(self, written: Json, path: str, reserved: str = "") -> dict[str, Program]:
        """Read variables.

        Raises:
            Malformed: one of them cannot be used.
        """
        found: dict[str, Program] = {}
        for at, each in enumerate(listed(written, path)):
            here = f"{path}[{at}]"
            known = mapping(each, here, ("name", "expression"))
            name = text(known.get("name"), f"{here}.name")
            if not name.isidentifier() or name in self.kinds or (reserved and name.startswith(reserved)):
                raise Malformed(f"{here}.name", f"{name!r} cannot be the name of a variable, or is one already")
            found[name] = self.program(known.get("expression"), f"{here}.expression")
            self.kinds[name] = found[name].result
        return found

    def conditions(self, written: Json, path: str) -> tuple[Program, ...]:
        """Read match conditions.

        Raises:
            Malformed: one of them cannot be used.
        """
        found = []
        for at, each in enumerate(listed(written, path)):
            known = mapping(each, f"{path}[{at}]", ("name", "expression"))
            found.append(self.test(known.get("expression"), f"{path}[{at}].expression"))
        return tuple(found)

    def validations(self, written: Json, path: str) -> tuple[Validation, ...]:
        """Read validations.

        Raises:
            Malformed: one of them cannot be used.
        """
        found = []
        for at, each in enumerate(listed(written, path)):
            here = f"{path}[{at}]"
            known = mapping(each, here, VALIDATION)
            message = known.get("messageExpression")
            found.append(
                Validation(
                    self.test(known.get("expression"), f"{here}.expression"),
                    text(known.get("message") or "", f"{here}.message").strip(),
                    None if message is None else self.typed(message, f"{here}.messageExpression", STRING),
                )
            )
        return tuple(found)

    def test(self, written: Json, path: str) -> Program:
        """Read what has to be true or false."""
        return self.typed(written, path, BOOL)

    def typed(self, written: Json, path: str, wanted: Type) -> Program:
        """Read an expression that has to give a type; as at the API server, `dyn` is not it.

        Raises:
            Malformed: it gives another.
        """
        program = self.program(written, path)
        if program.result != wanted:
            fix = f"compare it, or convert it with {wanted}(…)" if program.result == DYN else ""
            raise Malformed(path, f"must evaluate to {wanted}, and evaluates to {program.result}", fix)
        return program

    def program(self, written: Json, path: str) -> Program:
        """Read an expression.

        Raises:
            Malformed: it cannot be compiled.
        """
        known = {**self.declarations, "variables": Type("variables", fields=dict(self.kinds))}
        expression = text(written, path)
        try:
            return cel.compile(expression, known, self.dialect)
        except CelError as error:
            raise Malformed(path, *_explained(error)) from None


def _explained(error: CelError) -> tuple[str, str]:
    """Say what is wrong with an expression, and how to mend it."""
    line, column = error.position
    for name in ELSEWHERE:
        if error.message.startswith(f"undeclared reference to '{name}'"):
            return (
                f"needs {name}, at {line}:{column + 1}: not evaluated here",
                "keep it to what the object says",
            )
    return f"{error.message}, at {line}:{column + 1}", ""


def lenient(spec: Object, path: str = "spec.failurePolicy") -> bool:
    """Read `failurePolicy`: whether errors are to be ignored.

    Raises:
        Malformed: it is neither Fail nor Ignore.
    """
    written = spec.get("failurePolicy") or "Fail"
    if written not in ("Fail", "Ignore"):
        raise Malformed(path, f"{written!r} is no failure policy", nearest(str(written), ("Fail", "Ignore")))
    return bool(written == "Ignore")
