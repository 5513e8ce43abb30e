"""ValidatingAdmissionPolicy with its bindings, as kube-apiserver enforces them."""

from collections.abc import Sequence
from dataclasses import dataclass

from davy.policy.engine import Action, Point, Violation
from davy.policy.gatekeeper.candidate import metadata_of, text_of
from davy.policy.gatekeeper.malformed import Malformed, listed, mapping, text
from davy.policy.inventory import Inventory
from davy.policy.review import Json, Kind, Object, Review
from davy.policy.validating.binding import Binding, NoParameters
from davy.policy.validating.checks import Checks, Objection, Reader, lenient
from davy.policy.validating.request import DECLARATIONS, WITH_PARAMS, values_of
from davy.policy.validating.where import Undecided, Where, where

SPEC = (
    "paramKind",
    "matchConstraints",
    "validations",
    "failurePolicy",
    "auditAnnotations",
    "matchConditions",
    "variables",
)
SOURCE = "ValidatingAdmissionPolicy"


@dataclass(frozen=True, slots=True)
class Definition:
    """What a policy says, before anything puts it in force."""

    name: str
    where: Where
    params: Kind | None
    checks: Checks


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """A policy and one of its bindings.

    Args:
        about: what the two say about which requests, as far as it can be read.
        refusal: why it cannot judge; then it refuses what it is about.
    """

    name: str
    binding: str
    about: tuple[Where, ...]
    definition: Definition | None = None
    bound: Binding | None = None
    action: Action = "deny"
    refusal: str = ""

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        """Say what is wrong with the object under review."""
        try:
            if not all(where.matches(review, inventory) for where in self.about):
                return ()
        except Undecided as error:
            return (self._violation(Objection(str(error), broken=True)),)
        if self.definition is None or self.bound is None:
            return (self._violation(Objection(self.refusal, broken=True)),)
        found: list[Objection] = []
        try:
            for params in self._params(self.definition, self.bound, review, inventory):
                found += self.definition.checks.objections({**values_of(review, inventory), "params": params})
        except NoParameters as error:
            if not self.definition.checks.lenient:
                found.append(Objection(f"failed to configure binding: {error}", broken=True))
        return [self._violation(objection) for objection in dict.fromkeys(found)]

    def _params(
        self, definition: Definition, bound: Binding, review: Review, inventory: Inventory
    ) -> Sequence[Json]:
        if definition.params is None or bound.params is None:
            return (None,)
        return bound.params.find(definition.params, review, inventory)

    def _violation(self, objection: Objection) -> Violation:
        details = {"binding": self.binding}
        return Violation(
            self.name,
            self.name,
            objection.message,
            self.action,
            details,
            broken=objection.broken,
            source=SOURCE,
        )


def definition(subject: Object) -> Definition:
    """Read a ValidatingAdmissionPolicy.

    Raises:
        Malformed: an API server would not take it.
    """
    spec = mapping(subject.get("spec"), "spec", SPEC)
    params = _param_kind(spec.get("paramKind"), "spec.paramKind")
    reader = Reader("kubernetes", DECLARATIONS if params is None else WITH_PARAMS)
    checks = Checks(
        reader.variables(spec.get("variables"), "spec.variables"),
        reader.conditions(spec.get("matchConditions"), "spec.matchConditions"),
        reader.validations(spec.get("validations"), "spec.validations"),
        lenient(spec),
    )
    annotations = listed(spec.get("auditAnnotations"), "spec.auditAnnotations")
    for at, each in enumerate(annotations):
        here = f"spec.auditAnnotations[{at}]"
        known = mapping(each, here, ("key", "valueExpression"))
        reader.program(known.get("valueExpression"), f"{here}.valueExpression")
    if not checks.validations and not annotations:
        raise Malformed("spec.validations", "a policy needs a validation or an audit annotation")
    place = where(spec.get("matchConstraints"), "spec.matchConstraints", required=True)
    return Definition(text_of(metadata_of(subject), "name"), place, params, checks)


def _param_kind(written: Json, path: str) -> Kind | None:
    if written is None:
        return None
    known = mapping(written, path, ("apiVersion", "kind"))
    version, kind = text(known.get("apiVersion"), f"{path}.apiVersion"), text(known.get("kind"), f"{path}.kind")
    return Kind.of({"apiVersion": version, "kind": kind})
