"""Bindings of admission policies: where one is in force, with what parameters, and what it leads to."""

from collections.abc import Sequence
from dataclasses import dataclass

from davy.policy.engine import Action
from davy.policy.gatekeeper.candidate import metadata_of, text_of
from davy.policy.gatekeeper.malformed import Malformed, mapping, text, texts
from davy.policy.gatekeeper.selector import Selects, selector
from davy.policy.inventory import Inventory
from davy.policy.review import Json, Kind, Object, Review
from davy.policy.validating.where import Where, labels_of, where

SPEC = ("policyName", "paramRef", "matchResources", "validationActions")
PARAM_REF = ("name", "namespace", "selector", "parameterNotFoundAction")
ACTIONS = ("Deny", "Warn", "Audit")


class NoParameters(Exception):
    """The parameters that a binding names are not there."""


@dataclass(frozen=True, slots=True)
class ParamRef:
    """Which objects are the parameters."""

    name: str
    namespace: str
    selects: Selects | None
    deny: bool

    def find(self, kind: Kind, review: Review, inventory: Inventory) -> Sequence[Object]:
        """Find the parameters for a request; none, where that is allowed, and the policy is not in force.

        Raises:
            NoParameters: there are none, and that is not allowed.
        """
        namespace = self.namespace or review.namespace
        found = [each for each in inventory.objects if Kind.of(each) == kind and self._meant(each, namespace)]
        if not found and self.deny:
            raise NoParameters("no params found for policy binding with `Deny` parameterNotFoundAction")
        return found

    def _meant(self, found: Object, namespace: str) -> bool:
        metadata = metadata_of(found)
        own = text_of(metadata, "namespace")
        if own and own != namespace:
            return False
        return (
            text_of(metadata, "name") == self.name if self.selects is None else self.selects(labels_of(found))
        )


@dataclass(frozen=True, slots=True)
class Binding:
    """A policy put in force."""

    name: str
    policy: str
    params: ParamRef | None
    where: Where
    action: Action


def binding(subject: Object) -> Binding:
    """Read a ValidatingAdmissionPolicyBinding.

    Raises:
        Malformed: it cannot be read.
    """
    spec = mapping(subject.get("spec"), "spec", SPEC)
    return Binding(
        text_of(metadata_of(subject), "name"),
        text(spec.get("policyName"), "spec.policyName"),
        _param_ref(spec.get("paramRef"), "spec.paramRef"),
        where(spec.get("matchResources"), "spec.matchResources", required=False),
        action(spec.get("validationActions"), "spec.validationActions"),
    )


def action(written: Json, path: str, otherwise: Sequence[str] = ()) -> Action:
    """Read `validationActions`: what a violation leads to, at most.

    Raises:
        Malformed: they cannot be read.
    """
    actions = texts(written, path) or list(otherwise)
    for each in actions:
        if each not in ACTIONS:
            raise Malformed(path, f"{each!r} is no action", f"use {', '.join(ACTIONS)}")
    if not actions:
        raise Malformed(path, "this needs at least one action", f"use {', '.join(ACTIONS)}")
    if {"Deny", "Warn"} <= set(actions):
        raise Malformed(path, "Deny and Warn together would tell the same twice", "keep one of them")
    return "deny" if "Deny" in actions else "warn" if "Warn" in actions else "dryrun"


def _param_ref(written: Json, path: str) -> ParamRef | None:
    if written is None:
        return None
    known = mapping(written, path, PARAM_REF)
    name, selecting = known.get("name"), known.get("selector")
    if (name is None) == (selecting is None):
        raise Malformed(path, "this needs either a name or a selector")
    missing = known.get("parameterNotFoundAction")
    if missing not in ("Allow", "Deny"):
        raise Malformed(f"{path}.parameterNotFoundAction", f"{missing!r} is no action", "use Allow or Deny")
    return ParamRef(
        "" if name is None else text(name, f"{path}.name"),
        text(known.get("namespace") or "", f"{path}.namespace"),
        None if selecting is None else selector(selecting, f"{path}.selector"),
        missing == "Deny",
    )
