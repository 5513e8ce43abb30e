"""Find policies in CEL among documents, and make policies of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from davy.policy.engine import Policy
from davy.policy.gatekeeper.candidate import metadata_of, text_of
from davy.policy.gatekeeper.malformed import Malformed, mapping
from davy.policy.problem import Problem
from davy.policy.review import Kind, Object
from davy.policy.validating import admission, binding, kyverno
from davy.policy.validating.admission import AdmissionPolicy, Definition
from davy.policy.validating.binding import Binding
from davy.policy.validating.clusterpolicy import cluster_policy
from davy.policy.validating.kyverno import KyvernoPolicy
from davy.policy.validating.where import Where, where

REGISTRATION = "admissionregistration.k8s.io"
VERSIONS = ("v1", "v1beta1", "v1alpha1")
DEFINED, BOUND = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Reading:
    """The policies among some documents, and what is wrong with those documents."""

    policies: tuple[Policy, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Reader:
    policies: list[Policy] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def part(self, subject: Object, read: Callable[[Object], Read]) -> Read | None:
        """Read a document; what is wrong with it is told."""
        try:
            return read(subject)
        except Malformed as error:
            self.problems.append(Problem(subject, error.path, error.message, "error", error.fix))
            return None

    def warn(self, subject: Object, path: str, message: str, fix: str = "") -> None:
        self.problems.append(Problem(subject, path, message, "warning", fix))


def is_validating(found: Object) -> bool:
    """Say whether a document is a policy in CEL, or would be one if it were evaluated here."""
    kind = Kind.of(found)
    if kind.group == REGISTRATION:
        return kind.kind in (DEFINED, BOUND)
    return kind.group in ("policies.kyverno.io", "kyverno.io")


def read(objects: Sequence[Object]) -> Reading:
    """Read the policies in CEL among some documents; others are left alone, none passed over silently.

    A policy of the API server's or a ValidatingPolicy that cannot be used is still a policy: it refuses what
    it is about, as far as that can be read.
    """
    reader = _Reader()
    definitions: dict[str, Object] = {}
    bindings: list[Object] = []
    for found in objects:
        kind = Kind.of(found)
        match kind.group, kind.kind:
            case "admissionregistration.k8s.io", "ValidatingAdmissionPolicy" if _served(reader, found, kind):
                definitions[_name(found)] = found
            case "admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding" if _served(
                reader, found, kind
            ):
                bindings.append(found)
            case "policies.kyverno.io", "ValidatingPolicy" | "NamespacedValidatingPolicy":
                if _served(reader, found, kind):
                    reader.policies.append(_kyverno(reader, found))
            case "kyverno.io", "ClusterPolicy" | "Policy":
                rules, problems = cluster_policy(found)
                reader.policies += rules
                reader.problems += problems
            case (("policies.kyverno.io" | "kyverno.io"), name):
                reader.warn(found, "kind", f"{name} is not read here; Kyverno may do more than Davy says")
            case _:
                pass
    _admission(reader, definitions, bindings)
    policies = sorted(reader.policies, key=lambda policy: policy.name)
    return Reading(tuple(policies), tuple(reader.problems))


def _served(reader: _Reader, found: Object, kind: Kind) -> bool:
    if kind.version in VERSIONS:
        return True
    message = f"there is no version {kind.version!r} of {kind.kind}"
    reader.problems.append(Problem(found, "apiVersion", message, "error", f"use {VERSIONS[0]}"))
    return False


def _name(found: Object) -> str:
    return text_of(metadata_of(found), "name")


def _admission(reader: _Reader, definitions: dict[str, Object], bindings: Iterable[Object]) -> None:
    read_ = {name: reader.part(subject, admission.definition) for name, subject in definitions.items()}
    used = set()
    for subject in bindings:
        bound = reader.part(subject, binding.binding)
        name = _policy_name(subject)
        used.add(name)
        if name not in definitions:
            message = f"there is no ValidatingAdmissionPolicy {name!r}; this binding puts nothing in force"
            reader.warn(subject, "spec.policyName", message, "hand in the policy, too")
            continue
        reader.policies.append(_bound(definitions[name], read_[name], subject, bound))
    for name, subject in definitions.items():
        if name not in used:
            message = "no binding puts this policy in force, so it judges nothing"
            reader.warn(subject, "metadata.name", message, f"add a ValidatingAdmissionPolicyBinding for {name}")


def _policy_name(subject: Object) -> str:
    spec = subject.get("spec")
    return text_of(spec, "policyName") if isinstance(spec, dict) else ""


def _bound(
    policy: Object, definition: Definition | None, subject: Object, bound: Binding | None
) -> AdmissionPolicy:
    name, binding_name = _name(policy), _name(subject)
    about = tuple(
        found
        for found in (
            _about(policy, "matchConstraints") if definition is None else definition.where,
            _about(subject, "matchResources") if bound is None else bound.where,
        )
        if found is not None
    )
    if definition is None or bound is None:
        wrong = f"policy {name}" if definition is None else f"binding {binding_name}"
        return AdmissionPolicy(name, binding_name, about, refusal=f"{wrong} cannot be used: see its problems")
    return AdmissionPolicy(name, binding_name, about, definition, bound, bound.action)


def _about(subject: Object, name: str) -> Where | None:
    """Read which requests something unusable is about, so that it refuses no more than these."""
    try:
        spec = mapping(subject.get("spec"), "spec")
        return where(spec.get(name), f"spec.{name}", required=name == "matchConstraints")
    except Malformed:
        return None


def _kyverno(reader: _Reader, subject: Object) -> KyvernoPolicy:
    found = reader.part(subject, kyverno.kyverno_policy)
    if found is not None:
        return found
    name = _name(subject)
    refusal = f"policy {name} cannot be used: see its problems"
    return KyvernoPolicy(
        name, text_of(subject, "kind"), where=_about(subject, "matchConstraints"), refusal=refusal
    )
