"""`K8sNativeValidation`: the CEL that a template of Gatekeeper may have in the place of Rego."""

from collections.abc import Mapping
from dataclasses import dataclass

from davy.policy.cel import DYN, Program
from davy.policy.cel.values import Value
from davy.policy.gatekeeper.malformed import mapping
from davy.policy.inventory import Inventory
from davy.policy.review import Json, Object, Review
from davy.policy.validating.checks import Checks, Objection, Reader, lenient
from davy.policy.validating.request import DECLARATIONS, values_of

FIELDS = ("validations", "failurePolicy", "matchCondition", "variables", "generateVAP")
RESERVED = "gatekeeper_internal_"
ADDED = ("anyObject", "params")


@dataclass(frozen=True, slots=True)
class Native:
    """The code of a template."""

    checks: Checks

    def judge(self, review: Review, parameters: Json, inventory: Inventory | None = None) -> list[Objection]:
        """Say what is wrong with the object under review.

        Args:
            review: what is asked about.
            parameters: those of the constraint, `variables.params`.
            inventory: where the namespace is looked up.
        """
        values = values_of(review, Inventory() if inventory is None else inventory)
        # Of a manifest that is merely looked at nobody knows operation and user, as in Gatekeeper's Rego.
        request = values["request"]
        assert isinstance(request, Mapping)
        values["request"] = {**request, "operation": review.operation, "userInfo": review.user}
        any_object = values["oldObject"] if values["object"] is None else values["object"]
        given: Mapping[str, Value] = {**values, "given": {"anyObject": any_object, "params": parameters}}
        return self.checks.objections(given)


def compile_native(source: Object, path: str = "") -> Native:
    """Compile the source of a template.

    Raises:
        Malformed: it cannot be read, or an expression of it cannot be compiled.
    """
    known = mapping(source, path, FIELDS)
    # `variables.params` and `variables.anyObject` come from a name that only the two expressions here can see.
    added = Reader("kubernetes", {"given": DYN})
    variables: dict[str, Program] = {}
    for name in ADDED:
        variables[name] = added.program(f"given.{name}", path)
    reader = Reader("kubernetes", DECLARATIONS, dict.fromkeys(ADDED, DYN))
    where = f"{path}." if path else ""
    variables |= reader.variables(known.get("variables"), f"{where}variables", RESERVED)
    return Native(
        Checks(
            variables,
            reader.conditions(known.get("matchCondition"), f"{where}matchCondition"),
            reader.validations(known.get("validations"), f"{where}validations"),
            lenient(known, f"{where}failurePolicy"),
        )
    )
