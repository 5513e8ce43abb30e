"""Kyverno's ValidatingPolicy and NamespacedValidatingPolicy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from davy.policy.engine import Action, Point, Violation
from davy.policy.gatekeeper.candidate import metadata_of, text_of
from davy.policy.gatekeeper.malformed import Malformed, listed, mapping, texts
from davy.policy.inventory import Inventory
from davy.policy.review import Json, Object, Review
from davy.policy.validating.binding import action
from davy.policy.validating.checks import Checks, Objection, Reader, lenient
from davy.policy.validating.pods import ALL, CONTROLLERS, objections_with_pods
from davy.policy.validating.request import DECLARATIONS, values_of
from davy.policy.validating.where import Undecided, Where, where

SPEC = (
    "matchConstraints", "validations", "failurePolicy", "auditAnnotations", "matchConditions", "variables",
    "validationActions", "validationAction", "autogen", "webhookConfiguration", "evaluation",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KyvernoPolicy:
    """A ValidatingPolicy.

    Args:
        namespace: the only one it is in force in; empty is all.
        controllers: the kinds whose pods it judges, too.
        refusal: why it cannot judge; then it refuses what it is about.
    """

    name: str
    source: str
    namespace: str = ""
    where: Where | None = None
    checks: Checks | None = None
    action: Action = "deny"
    controllers: frozenset[str] = frozenset()
    refusal: str = ""

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        """Say what is wrong with the object under review, or with the pods it will make."""
        if self.namespace and review.namespace != self.namespace:
            return ()
        found = objections_with_pods(review, self.controllers, lambda asked: self._one(asked, inventory))
        return [self._violation(objection) for objection in found]

    def _one(self, review: Review, inventory: Inventory) -> list[Objection]:
        try:
            if self.where is not None and not self.where.matches(review, inventory):
                return []
        except Undecided as error:
            return [Objection(str(error), broken=True)]
        if self.checks is None:
            return [Objection(self.refusal, broken=True)]
        return self.checks.objections(values_of(review, inventory))

    def _violation(self, objection: Objection) -> Violation:
        return Violation(
            self.name, self.name, objection.message, self.action, broken=objection.broken, source=self.source
        )


def kyverno_policy(subject: Object) -> KyvernoPolicy:
    """Read a ValidatingPolicy.

    Raises:
        Malformed: it cannot be used.
    """
    spec = mapping(subject.get("spec"), "spec", SPEC)
    mode = mapping(spec.get("evaluation"), "spec.evaluation").get("mode") or "Kubernetes"
    if mode != "Kubernetes":
        raise Malformed("spec.evaluation.mode", f"needs mode {mode}: not evaluated here")
    reader = Reader("kyverno", DECLARATIONS)
    checks = Checks(
        reader.variables(spec.get("variables"), "spec.variables"),
        reader.conditions(spec.get("matchConditions"), "spec.matchConditions"),
        reader.validations(spec.get("validations"), "spec.validations"),
        lenient(spec),
    )
    if not checks.validations:
        raise Malformed("spec.validations", "a policy needs a validation")
    metadata, kind = metadata_of(subject), text_of(subject, "kind")
    place = where(spec.get("matchConstraints"), "spec.matchConstraints", required=True)
    written = spec.get("validationActions")
    return KyvernoPolicy(
        text_of(metadata, "name"),
        kind,
        text_of(metadata, "namespace") if kind.startswith("Namespaced") else "",
        place,
        checks,
        action(written, "spec.validationActions", ("Deny",)),
        _controllers(spec.get("autogen"), place),
    )


def _controllers(written: Json, place: Where) -> frozenset[str]:
    """Return the kinds whose pods count: those that are named, else all, if the policy is about pods alone."""
    autogen = mapping(
        written, "spec.autogen", ("podControllers", "validatingAdmissionPolicy", "mutatingAdmissionPolicy")
    )
    path = "spec.autogen.podControllers"
    given: Mapping[str, Json] = mapping(autogen.get("podControllers"), path, ("controllers",))
    about_pods = all(rule.resources == {"pods"} for rule in place.rules or ())
    if not about_pods:
        return frozenset()
    if "controllers" not in given:
        return ALL
    names = texts(listed(given["controllers"], f"{path}.controllers"), f"{path}.controllers")
    for name in names:
        if name not in CONTROLLERS:
            known = ", ".join(CONTROLLERS)
            raise Malformed(
                f"{path}.controllers", f"{name!r} makes no pods that are known here", f"use {known}"
            )
    return frozenset(CONTROLLERS[name] for name in names)
