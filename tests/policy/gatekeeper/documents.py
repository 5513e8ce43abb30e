"""Documents that tests of policies are made of."""

from typing import Any

Document = dict[str, Any]
ALWAYS = 'package always\nviolation[{"msg": "no"}] { true }\n'


def template(rego: str = ALWAYS, kind: str = "Always", *, version: str = "v1", **more: Any) -> Document:
    """Make a ConstraintTemplate; `schema`, `legacy`, `libs`, `operations`, `code` and `name` say the rest."""
    crd: Document = {"spec": {"names": {"kind": kind}}}
    if "schema" in more or "legacy" in more:
        crd["spec"]["validation"] = {
            key: more[name]
            for name, key in (("schema", "openAPIV3Schema"), ("legacy", "legacySchema"))
            if name in more
        }
    target: Document = {"target": "admission.k8s.gatekeeper.sh", "rego": rego}
    target |= {name: more[name] for name in ("libs", "operations", "code") if name in more}
    return {
        "apiVersion": f"templates.gatekeeper.sh/{version}",
        "kind": "ConstraintTemplate",
        "metadata": {"name": more.get("name", kind.lower())},
        "spec": {"crd": crd, "targets": [target]},
    }


def constraint(kind: str = "Always", name: str = "it", **spec: Any) -> Document:
    """Make a constraint."""
    return {
        "apiVersion": "constraints.gatekeeper.sh/v1beta1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }


def manifest(kind: str = "Pod", api_version: str = "v1", name: str = "web", **rest: Any) -> Document:
    """Make an object in the namespace shop."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **rest}


def expansion(name: str = "pods", **spec: Any) -> Document:
    """Make an ExpansionTemplate, from Deployments to Pods unless it says otherwise."""
    return {
        "apiVersion": "expansion.gatekeeper.sh/v1beta1",
        "kind": "ExpansionTemplate",
        "metadata": {"name": name},
        "spec": {
            "applyTo": [{"groups": ["apps"], "kinds": ["Deployment"], "versions": ["v1"]}],
            "templateSource": "spec.template",
            "generatedGVK": {"group": "", "version": "v1", "kind": "Pod"},
            **spec,
        },
    }
