"""The manifests of a world, as its people would write them."""

import json
from typing import Any

import msgspec

from davy.control.catalog import KINDS, Object
from davy.sim.plan import Plan, Service
from davy.sim.ports import LIMIT, QUERY

_PASSES = f"len(result) > 0 && result[0] <= {LIMIT}"
_FAILS = f"len(result) > 0 && result[0] > {LIMIT}"

TEMPLATES: dict[str, dict[str, Any]] = {
    "strict": {"interval": "10s", "count": 2},
    "lenient": {"interval": "15s", "count": 3, "failureLimit": 1, "inconclusiveLimit": 1},
    "thorough": {"interval": "60s", "count": 5, "failureLimit": 1},
    "watching": {"interval": "30s", "failureLimit": 1, "inconclusiveLimit": 3},
}
"""The analysis templates that each service has: how often they measure and what they bear with."""


def texts(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Write the manifests of a world as (file name, text) pairs; JSON is YAML."""
    documents = [document for service in plan.services for document in _documents(service)]
    return tuple((f"{number}.yaml", json.dumps(document)) for number, document in enumerate(documents))


def objects(plan: Plan) -> tuple[Object, ...]:
    """Return what an engine holds of the manifests of a world."""
    documents = [document for service in plan.services for document in _documents(service)]
    return tuple(msgspec.convert(document, KINDS[document["kind"]]) for document in documents)


def _documents(service: Service) -> list[dict[str, Any]]:
    """Write a rollout and what it refers to."""
    [strategy] = service.spec.values()
    named = {value for field, value in strategy.items() if field.endswith("Service")}
    text = json.dumps(service.spec)
    used = [name for name in TEMPLATES if f'"{service.name}-{name}"' in text]
    routes = [_routes(service.name, sorted(named))] if "trafficRouting" in strategy else []
    judges = [] if service.judge is None else [_judge(service.name, service.judge)]
    return [
        _rollout(service),
        *routes,
        *judges,
        *(_service(service.name, name) for name in sorted(named)),
        *(_template(service.name, name) for name in used),
    ]


def _rollout(service: Service) -> dict[str, Any]:
    labels = {"app": service.name}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": service.name},
        "spec": {
            "replicas": service.replicas,
            "progressDeadlineSeconds": service.deadline_s,
            "progressDeadlineAbort": service.deadline_aborts,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": f"{service.name}:1"}]},
            },
            "strategy": service.spec,
        },
    }


def _judge(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "davy.dev/v1alpha1", "kind": "Judge", "metadata": {"name": name}, "spec": spec}


def _service(app: str, name: str) -> dict[str, Any]:
    spec = {"selector": {"app": app}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _routes(app: str, services: list[str]) -> dict[str, Any]:
    """Write the VirtualService that a rollout with a router names."""
    destinations = [{"destination": {"host": name}, "weight": 0} for name in services]
    destinations[-1]["weight"] = 100
    spec = {"hosts": [app], "http": [{"name": "primary", "route": destinations}]}
    metadata = {"name": app}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": metadata,
        "spec": spec,
    }


def _template(app: str, name: str) -> dict[str, Any]:
    metric = {
        "name": name,
        **TEMPLATES[name],
        "successCondition": _PASSES,
        "failureCondition": _FAILS,
        "provider": {
            "prometheus": {"address": "http://prometheus:9090", "query": QUERY.format(name=app)},
        },
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": f"{app}-{name}"},
        "spec": {"args": [{"name": "version"}], "metrics": [metric]},
    }
