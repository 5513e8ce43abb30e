"""Davy's own rules: how long they take to read, and what all of them take on an object, in processor time."""

from time import process_time

import msgspec

from bench.figure import Figure, median, percentile
from bench.payments import rollout
from bench.policy_check import DEPLOYMENT
from davy.model.loader import load_raw
from davy.policy import pack
from davy.policy.engine import Point
from davy.policy.gatekeeper import evaluator, reach
from davy.policy.gatekeeper.request import review_from
from davy.policy.inventory import Inventory
from davy.policy.rego import parser
from davy.policy.review import Object
from davy.policy.ruleset import Ruleset, read

READINGS = 11
REVIEWS = 2000
SEED = """package norawdeployments
violation[{"msg": msg}] {
  input.review.object.kind == "Deployment"
  input.review.object.metadata.namespace == "prod"
  msg := "Deployments are not allowed in prod: use a Rollout"
}"""


def measure() -> list[Figure]:
    """Read the pack anew a few times, and ask it about the example's rollout and about a Deployment."""
    readings = [_reading(pack.objects("standard")) for _ in range(READINGS)]
    alone = [_reading([found]) for found in pack.objects("standard") if found["kind"] == "ConstraintTemplate"]
    strict, seed = read(pack.objects("strict")), read(_seed())
    changed = msgspec.to_builtins(rollout())
    changed["metadata"]["namespace"] = "prod"
    (deployed,) = (
        found.value for found in load_raw(DEPLOYMENT.format(number=1, team=1, digest="0" * 64).encode(), "web")
    )
    on_rollout, on_deployment = _reviews(strict, changed), _reviews(strict, deployed)
    return [
        Figure("read the pack, processor, median", median(readings), "ms", READINGS, 200.0),
        Figure("read one of its templates, processor, worst", max(alone), "ms", len(alone)),
        Figure(
            f"the {len(pack.RULES)} rules on a Rollout, processor, median",
            median(on_rollout),
            "ms",
            REVIEWS,
            0.5,
        ),
        Figure("the same, p99", percentile(on_rollout, 99), "ms", REVIEWS),
        Figure("the same on a Deployment, processor, median", median(on_deployment), "ms", REVIEWS, 0.1),
        Figure(
            "one template with one rule, processor, median",
            1000 * median(_reviews(seed, deployed)),
            "µs",
            REVIEWS,
        ),
    ]


def _reading(objects: list[Object] | tuple[Object, ...]) -> float:
    """Read policies as a process does that has read nothing yet, in milliseconds."""
    for remembered in (evaluator._compiled, parser.parse_module, reach.check_reach):
        remembered.cache_clear()
    began = process_time()
    read(objects)
    return 1000 * (process_time() - began)


def _reviews(ruleset: Ruleset, found: Object) -> list[float]:
    """Ask again and again about one object; the first answer, for which Python compiles, does not count."""
    review, inventory = review_from(found), Inventory()
    ruleset.judge(review, inventory, Point.CHECK)
    taken = []
    for _ in range(REVIEWS):
        began = process_time()
        ruleset.judge(review, inventory, Point.CHECK)
        taken.append(1000 * (process_time() - began))
    return taken


def _seed() -> list[Object]:
    kind, about = "NoRawDeployments", {"kinds": [{"apiGroups": ["apps"], "kinds": ["Deployment"]}]}
    target = {"target": "admission.k8s.gatekeeper.sh", "rego": SEED}
    return [
        {
            "apiVersion": "templates.gatekeeper.sh/v1",
            "kind": "ConstraintTemplate",
            "metadata": {"name": kind.lower()},
            "spec": {"crd": {"spec": {"names": {"kind": kind}}}, "targets": [target]},
        },
        {
            "apiVersion": "constraints.gatekeeper.sh/v1beta1",
            "kind": kind,
            "metadata": {"name": "prod"},
            "spec": {"match": about},
        },
    ]
