"""Constraints: a template put to use on some objects, with parameters, and what a violation leads to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from davy.policy.engine import Action, Point, Violation
from davy.policy.gatekeeper import schema
from davy.policy.gatekeeper.candidate import Candidate, metadata_of, text_of
from davy.policy.gatekeeper.case import Case, case
from davy.policy.gatekeeper.enforcement import Enforced, enforcement
from davy.policy.gatekeeper.evaluator import Broken, Result
from davy.policy.gatekeeper.malformed import Malformed, mapping
from davy.policy.gatekeeper.match import Matches, Unmatchable, anything, match
from davy.policy.gatekeeper.numbers import as_float64
from davy.policy.gatekeeper.template import Template
from davy.policy.inventory import Inventory
from davy.policy.problem import Problem
from davy.policy.review import Json, Object, Review

GROUP = "constraints.gatekeeper.sh"
SPEC = ("match", "parameters", "enforcementAction", "scopedEnforcementActions")

DENIED: Enforced = dict.fromkeys(Point, "deny")


@dataclass(frozen=True, slots=True)
class Constraint:
    """A policy: where `about` says so, its template judges.

    Args:
        refusal: why it cannot judge; then it refuses whatever it matches.
    """

    name: str
    kind: str
    template: Template
    about: Matches = anything
    enforced: Enforced = field(default_factory=lambda: DENIED)
    parameters: Json = field(default_factory=dict)
    refusal: str = ""

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        """Say what is wrong with the object under review."""
        return self.judge_case(case(review, inventory), point)

    def matches(self, review: Review, inventory: Inventory, point: Point) -> bool:
        """Say whether it looks at an object at all; where that cannot be told, it does."""
        return self.matches_case(case(review, inventory), point)

    def matches_case(self, asked: Case, point: Point) -> bool:
        """Say whether it looks at an object that was read for many constraints at once."""
        try:
            return self._asks(asked.review, point) and _matches(self.about, asked.candidates)
        except Unmatchable:
            return True

    def judge_case(self, asked: Case, point: Point) -> Sequence[Violation]:
        """Say what is wrong with an object that was read for many constraints at once."""
        if not self._asks(asked.review, point):
            return ()
        action = self.enforced[point]
        try:
            if not _matches(self.about, asked.candidates):
                return ()
        except Unmatchable as error:
            return (self._broken(f"unable to match constraints: {error}", action),)
        if self.refusal or self.template.evaluator is None:
            return (self._broken(self.refusal or self.template.refusal, action),)
        try:
            found = self.template.evaluator(asked, self.parameters)
        except Broken as error:
            return (self._broken(str(error), action),)
        return [self._violation(result, action) for result in found]

    def _asks(self, review: Review, point: Point) -> bool:
        """Say whether it is enforced there, and on such an operation; which one counts at admission only."""
        if point not in self.enforced:
            return False
        operations = self.template.operations
        return point is not Point.ADMISSION or not operations or review.operation in operations

    def _violation(self, result: Result, action: Action) -> Violation:
        details = result.details
        rule, path = details.get("rule"), details.get("path")
        return Violation(
            policy=self.name,
            rule=rule if isinstance(rule, str) and rule else self.kind,
            message=result.message,
            action=action,
            details=details,
            path=path if isinstance(path, str) else "",
            broken=result.broken,
            source=self.kind,
            of_kind=result.of_kind,
        )

    def _broken(self, message: str, action: Action) -> Violation:
        return Violation(self.name, self.kind, message, action, broken=True, source=self.kind)


def _matches(matches: Matches, candidates: tuple[Candidate, ...]) -> bool:
    """Try the object, then the old one."""
    if not candidates:
        raise Unmatchable("there is neither an object nor an old object to review")
    return any(map(matches, candidates))


def constraint(subject: Object, templates: Mapping[str, Template]) -> tuple[Constraint, list[Problem]]:
    """Read a constraint. Whatever is wrong with it, it becomes a policy: then one that refuses."""
    kind, name = text_of(subject, "kind"), text_of(metadata_of(subject), "name")
    reading = _Reading(subject)
    spec = reading.part(lambda: mapping(subject.get("spec"), "spec"), {})
    reading.part(lambda: mapping(spec, "spec", SPEC), {})
    used = templates.get(kind)
    if used is None:
        reading.fail("kind", f"there is no template for the kind {kind}", "hand in its ConstraintTemplate, too")
        used = Template({}, kind)
    elif used.refusal:
        reading.reasons.append(used.refusal)
    if not name:
        reading.fail("metadata.name", "a constraint needs a name")
    matches = reading.part(lambda: match(spec.get("match")), None)
    if matches is None:
        matches = reading.part(lambda: match(_understood(spec.get("match"))), anything)
    if scope := _doubtful_scope(spec):
        reading.warn(
            "spec.match.scope", f"{scope!r} is no scope, and acts as *", "use *, Cluster or Namespaced"
        )
    enforced = reading.part(lambda: enforcement(spec), DENIED)
    parameters = reading.part(lambda: _parameters(reading, used, spec.get("parameters")), {})
    found = Constraint(name, kind, used, matches, enforced, parameters, "; ".join(reading.reasons))
    return found, reading.problems


@dataclass(slots=True)
class _Reading:
    """What is found while a constraint is read: all of it, not only the first."""

    subject: Object
    problems: list[Problem] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def part(self, read: Callable[[], Json], otherwise: Json) -> Json:
        """Read one part; when it is malformed, tell it and go on with something else."""
        try:
            return read()
        except Malformed as error:
            self.fail(error.path, error.message, error.fix)
            return otherwise

    def fail(self, path: str, message: str, fix: str = "") -> None:
        self.reasons.append(f"this constraint cannot be used: {path}: {message}")
        self.problems.append(Problem(self.subject, path, message, "error", fix))

    def warn(self, path: str, message: str, fix: str = "") -> None:
        self.problems.append(Problem(self.subject, path, message, "warning", fix))


def _understood(written: Json) -> Json:
    """Return the fields of `spec.match` that can be read: what refuses does so no more widely than it must."""
    if not isinstance(written, Mapping):
        return None
    understood = {}
    for name, value in written.items():
        try:
            match({name: value})
        except Malformed:
            continue
        understood[name] = value
    return understood


def _doubtful_scope(spec: Object) -> str:
    written = spec.get("match")
    scope = written.get("scope") if isinstance(written, Mapping) else None
    return scope if isinstance(scope, str) and scope not in ("", "*", "Cluster", "Namespaced") else ""


def _parameters(reading: _Reading, used: Template, written: Json) -> Json:
    """Hold parameters to the schema of their template."""
    path = "spec.parameters"
    if used.refusal or not used.subject:
        return {}
    if used.schema is None:
        if written:
            message = f"{used.kind} declares no schema for parameters; an API server may drop them"
            reading.warn(path, message, "declare spec.crd.spec.validation.openAPIV3Schema in the template")
        given = {} if written is None else mapping(written, path)
        return given if used.native else as_float64(given)
    if written is None and "default" not in used.schema:
        return {}  # an API server fills in nothing either
    value, held = schema.hold(
        used.schema, used.schema["default"] if written is None else written, path, legacy=used.legacy
    )
    for where, sentence in held.errors:
        reading.fail(where, sentence)
    for where in held.unknown:
        message = "the template's schema has no such field; an API server drops it"
        reading.warn(where, message, "look for a misspelling, or declare it in the template")
    return value if used.native else as_float64(value)
