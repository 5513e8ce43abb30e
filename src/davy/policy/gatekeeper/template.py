"""ConstraintTemplates: a kind of constraint, the schema of its parameters, and the code that judges."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from davy.policy.gatekeeper import schema
from davy.policy.gatekeeper.candidate import metadata_of, text_of
from davy.policy.gatekeeper.evaluator import Evaluator, native_evaluator, rego_evaluator
from davy.policy.gatekeeper.malformed import Malformed, listed, mapping, text, texts
from davy.policy.problem import Problem
from davy.policy.review import Json, Object

GROUP = "templates.gatekeeper.sh"
VERSIONS = ("v1alpha1", "v1beta1", "v1")
TARGET = "admission.k8s.gatekeeper.sh"
OPERATIONS = ("CREATE", "UPDATE", "DELETE", "CONNECT", "*")
UNCHECKED = ("x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys")


@dataclass(frozen=True, slots=True)
class Template:
    """A kind of constraint. One that cannot be used has a `refusal`, and so have all its constraints.

    Args:
        schema: of the parameters, None where the template declares none.
        legacy: fields that the schema does not have are kept.
        operations: at admission it judges these only; empty is all.
        native: the code is CEL, which gets parameters as they are written; to Rego numbers are `float64`.
    """

    subject: Object
    kind: str
    schema: Object | None = None
    legacy: bool = False
    operations: frozenset[str] = frozenset()
    evaluator: Evaluator | None = None
    native: bool = False
    refusal: str = ""


def template(subject: Object) -> tuple[Template, list[Problem]]:
    """Read a template; what is wrong with it is found now, not when it is first asked."""
    kind = _kind_of(subject)
    try:
        found = _template(subject)
    except Malformed as error:
        refusal = f"template {text_of(metadata_of(subject), 'name') or kind} cannot be used: {error}"
        problem = Problem(subject, error.path, error.message, "error", error.fix)
        return Template(subject, kind, refusal=refusal), [problem]
    return found, list(_doubts(found))


def _kind_of(subject: Object) -> str:
    """Return the kind that a template is for, as far as that can be told."""
    found: Json = subject
    for name in ("spec", "crd", "spec", "names", "kind"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def _template(subject: Object) -> Template:
    version = text_of(subject, "apiVersion").partition("/")[2]
    if version not in VERSIONS:
        raise Malformed("apiVersion", f"there is no version {version!r} of templates", f"use {VERSIONS[-1]}")
    spec = mapping(subject.get("spec"), "spec")
    crd = mapping(mapping(spec.get("crd"), "spec.crd").get("spec"), "spec.crd.spec")
    kind = text(mapping(crd.get("names"), "spec.crd.spec.names").get("kind"), "spec.crd.spec.names.kind")
    name = text_of(metadata_of(subject), "name")
    if not kind or name != kind.lower():
        message = f"a template is called as its kind in lower case, and this one is {name!r} for {kind!r}"
        raise Malformed("metadata.name", message, f"name it {kind.lower()}" if kind else "")
    declared, legacy = _schema(crd, version)
    target = _target(spec)
    operations = texts(target.get("operations"), "spec.targets[0].operations")
    for at, operation in enumerate(operations):
        if operation not in OPERATIONS:
            message = f"{operation!r} is no operation"
            raise Malformed(f"spec.targets[0].operations[{at}]", message, f"use {', '.join(OPERATIONS)}")
    evaluator, native = _evaluator(target)
    return Template(
        subject=subject,
        kind=kind,
        schema=declared,
        legacy=legacy,
        operations=frozenset() if "*" in operations else frozenset(operations),
        evaluator=evaluator,
        native=native,
    )


def _schema(crd: Object, version: str) -> tuple[Object | None, bool]:
    path = "spec.crd.spec.validation"
    validation = mapping(crd.get("validation"), path)
    declared = validation.get("openAPIV3Schema")
    legacy = validation.get("legacySchema")
    if legacy is None:
        legacy = version != "v1"
    if not isinstance(legacy, bool):
        raise Malformed(f"{path}.legacySchema", "this has to be true or false")
    schema.verify(declared, f"{path}.openAPIV3Schema")
    return declared, legacy


def _target(spec: Object) -> Object:
    targets = listed(spec.get("targets"), "spec.targets")
    if len(targets) != 1:
        raise Malformed("spec.targets", f"a template has exactly one target, and this one has {len(targets)}")
    target = mapping(targets[0], "spec.targets[0]", ("target", "rego", "libs", "code", "operations"))
    if target.get("target") != TARGET:
        raise Malformed("spec.targets[0].target", f"{target.get('target')!r} is no target", f"use {TARGET}")
    return target


def _evaluator(target: Object) -> tuple[Evaluator, bool]:
    """Choose between the engines that a template has code for, and say whether it is CEL: that comes first."""
    path = "spec.targets[0]"
    engines: dict[str, tuple[Object, str]] = {}
    for at, entry in enumerate(listed(target.get("code"), f"{path}.code")):
        here = f"{path}.code[{at}]"
        known = mapping(entry, here, ("engine", "source"))
        engine = text(known.get("engine"), f"{here}.engine")
        if engine not in ("Rego", "K8sNativeValidation"):
            raise Malformed(f"{here}.engine", f"{engine!r} is no engine", "use Rego or K8sNativeValidation")
        if engine in engines:
            raise Malformed(f"{here}.engine", f"there is code for {engine} already")
        engines[engine] = mapping(known.get("source"), f"{here}.source"), f"{here}.source"
    if "K8sNativeValidation" in engines:
        return native_evaluator(*engines["K8sNativeValidation"]), True
    source, where = engines.get("Rego", (target, path))
    return _rego(source, where), False


def _rego(source: Object, path: str) -> Evaluator:
    code = source.get("rego")
    if not isinstance(code, str) or not code.strip():
        raise Malformed(f"{path}.rego", "there is no code")
    match source.get("version"):
        case None | "" | "v0":
            version: Literal["v0", "v1"] = "v0"
        case "v1":
            version = "v1"
        case other:
            raise Malformed(f"{path}.version", f"{other!r} is no version of Rego", "use v0 or v1")
    libs: Sequence[str] = texts(source.get("libs"), f"{path}.libs")
    return rego_evaluator(code, tuple(libs), version, path)


def _doubts(found: Template) -> list[Problem]:
    """Say what of a template is not held to here."""
    path = "spec.crd.spec.validation.openAPIV3Schema"
    return [
        Problem(found.subject, path, f"{name} is not held to here; an API server does", "warning")
        for name in UNCHECKED
        if found.schema is not None and f'"{name}"' in _written(found.schema)
    ]


def _written(value: Json) -> str:
    return json.dumps(value, default=str)
