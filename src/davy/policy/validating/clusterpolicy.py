"""Kyverno's ClusterPolicy and Policy: their rules in CEL. What else they can say is refused by its name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from davy.policy.cel import DYN
from davy.policy.engine import Action, Point, Violation
from davy.policy.gatekeeper.candidate import metadata_of, text_of
from davy.policy.gatekeeper.malformed import Malformed, listed, mapping, text
from davy.policy.inventory import Inventory
from davy.policy.problem import Problem
from davy.policy.review import Json, Object, Review
from davy.policy.validating.checks import Checks, Objection, Reader, Validation
from davy.policy.validating.filters import Filters, filters
from davy.policy.validating.pods import ALL, objections_with_pods
from davy.policy.validating.request import DECLARATIONS, values_of
from davy.policy.validating.where import Undecided

AUTOGEN = "pod-policies.kyverno.io/autogen-controllers"
SAID = (
    "name",
    "match",
    "exclude",
    "validate",
    "celPreconditions",
    "skipBackgroundRequests",
    "reportProperties",
)
VALIDATE = ("cel", "message", "failureAction", "failureActionOverrides", "allowExistingViolations")
CEL = ("expressions", "variables", "auditAnnotations", "generate")
ACTIONS: Mapping[str, Action] = {"enforce": "deny", "audit": "dryrun"}


@dataclass(frozen=True, slots=True)
class ClusterRule:
    """One rule of a ClusterPolicy.

    Args:
        namespace: the only one it is in force in, for a Policy; empty is all.
        controllers: the kinds whose pods it judges, too.
    """

    name: str
    rule: str
    source: str
    namespace: str
    match: Filters
    exclude: Filters
    checks: Checks
    action: Action
    controllers: frozenset[str]

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        """Say what is wrong with the object under review, or with the pods it will make."""
        if self.namespace and review.namespace != self.namespace:
            return ()
        found = objections_with_pods(review, self.controllers, lambda asked: self._one(asked, inventory))
        return [self._violation(objection) for objection in found]

    def _one(self, review: Review, inventory: Inventory) -> list[Objection]:
        try:
            if not self.match.fit(review, inventory) or self.exclude.fit(review, inventory):
                return []
        except Undecided as error:
            return [Objection(str(error), broken=True)]
        return self.checks.objections(values_of(review, inventory))

    def _violation(self, objection: Objection) -> Violation:
        return Violation(
            policy=self.name,
            rule=self.name,
            message=objection.message,
            action=self.action,
            details={"rule": self.rule},
            broken=objection.broken,
            source=self.source,
        )


def cluster_policy(subject: Object) -> tuple[list[ClusterRule], list[Problem]]:
    """Read the rules of a ClusterPolicy; each that cannot be evaluated is a problem."""
    rules: list[ClusterRule] = []
    problems: list[Problem] = []
    try:
        spec = mapping(subject.get("spec"), "spec")
        for at, written in enumerate(listed(spec.get("rules"), "spec.rules")):
            try:
                rules += _rule(subject, spec, mapping(written, f"spec.rules[{at}]"), f"spec.rules[{at}]")
            except Malformed as error:
                problems.append(Problem(subject, error.path, error.message, "error", error.fix))
    except Malformed as error:
        problems.append(Problem(subject, error.path, error.message, "error", error.fix))
    return rules, problems


def _rule(subject: Object, spec: Object, rule: Object, path: str) -> Iterator[ClusterRule]:
    _refuse_others(rule, path)
    validate = mapping(rule.get("validate"), f"{path}.validate")
    _refuse(validate, VALIDATE, f"{path}.validate")
    code = mapping(validate.get("cel"), f"{path}.validate.cel")
    _refuse(code, CEL, f"{path}.validate.cel")
    reader = Reader("kyverno", {**DECLARATIONS, "params": DYN})
    here = f"{path}.validate.cel"
    checks = Checks(
        reader.variables(code.get("variables"), f"{here}.variables"),
        reader.conditions(rule.get("celPreconditions"), f"{path}.celPreconditions"),
        _validations(
            reader, code, f"{here}.expressions", text(validate.get("message") or "", f"{path}.validate.message")
        ),
    )
    match = filters(rule.get("match"), f"{path}.match")
    exclude = filters(rule.get("exclude"), f"{path}.exclude")
    kind, metadata = text_of(subject, "kind"), metadata_of(subject)
    yield ClusterRule(
        text_of(metadata, "name"),
        text(rule.get("name") or "", f"{path}.name"),
        kind,
        text_of(metadata, "namespace") if kind == "Policy" else "",
        match,
        exclude,
        checks,
        _action(spec, validate, path),
        _controllers(subject, match, exclude),
    )


def _refuse_others(rule: Object, path: str) -> None:
    """Refuse a rule that does more than to validate with CEL, by the name of what it does."""
    for name, value in rule.items():
        if name not in SAID and value not in (None, [], {}):
            raise Malformed(f"{path}.{name}", f"needs {name}: not evaluated here")


def _refuse(written: Object, known: Sequence[str], path: str) -> None:
    for name, value in written.items():
        if name not in known and value is not None:
            raise Malformed(f"{path}.{name}", f"needs {name}: not evaluated here")


def _validations(reader: Reader, code: Object, path: str, message: str) -> tuple[Validation, ...]:
    found = reader.validations(code.get("expressions"), path)
    if not found:
        raise Malformed(path, "a rule needs an expression")
    return tuple(
        [Validation(each.program, each.message or message.strip(), each.message_program) for each in found]
    )


def _action(spec: Object, validate: Object, path: str) -> Action:
    for name in ("failureActionOverrides", "validationFailureActionOverrides"):
        if validate.get(name) or spec.get(name):
            raise Malformed(path, f"needs {name}: not evaluated here")
    written = validate.get("failureAction") or spec.get("validationFailureAction") or "Audit"
    found = ACTIONS.get(str(written).lower())
    if found is None:
        raise Malformed(path, f"{written!r} is no failure action", "use Enforce or Audit")
    return found


def _controllers(subject: Object, match: Filters, exclude: Filters) -> frozenset[str]:
    """Return the kinds whose pods count: a rule about pods alone is about all that make some."""
    kinds = [kind for found in (*match.filters, *exclude.filters) for kind in found.kinds]
    if not kinds or any(kind.rpartition("/")[2] != "Pod" for kind in kinds):
        return frozenset()
    annotations: Json = metadata_of(subject).get("annotations")
    written = annotations.get(AUTOGEN) if isinstance(annotations, Mapping) else None
    if not isinstance(written, str) or written in ("", "all"):
        return ALL
    return frozenset(name.strip() for name in written.split(",")) & ALL
