"""Davy's own rules: how long they take to read, and what all of them take on an object, in processor time."""

from pathlib import Path
from time import process_time

from bench.figure import Figure, median, percentile
from bench.policy_check import DEPLOYMENT
from davy.model.loader import load_raw
from davy.policy import pack
from davy.policy.engine import Point
from davy.policy.gatekeeper import evaluator, reach
from davy.policy.gatekeeper.case import case
from davy.policy.gatekeeper.constraint import Constraint
from davy.policy.gatekeeper.request import review_from
from davy.policy.inventory import Inventory
from davy.policy.rego import parser
from davy.policy.review import Object
from davy.policy.ruleset import Ruleset, read

EXAMPLES = Path(__file__).parents[1] / "examples" / "payments"
READINGS = 11
REVIEWS = 2000
SEED = """package norawdeployments
violation[{"msg": msg}] {
  input.review.object.kind == "Deployment"
  startswith(input.review.object.metadata.namespace, "team-")
  msg := "Deployments are not allowed here: use a Rollout"
}"""


def measure() -> list[Figure]:
    """Read the pack anew a few times, and ask it about the example's rollout and about a Deployment."""
    rollout, there = _example()
    readings = [_reading(pack.objects("standard")) for _ in range(READINGS)]
    alone = [_reading([found]) for found in pack.objects("standard") if found["kind"] == "ConstraintTemplate"]
    strict, seed = read(pack.objects("strict")), read(_seed())
    (deployed,) = _documents(DEPLOYMENT.format(number=1, team=1, digest="0" * 64))
    on_rollout, on_deployment = _reviews(strict, rollout, there), _reviews(strict, deployed, there)
    return [
        Figure("read the pack, processor, median", median(readings), "ms", READINGS, 400.0),
        Figure("read one of its templates and the library, processor, median", median(alone), "ms", len(alone)),
        Figure(
            f"the {len(pack.RULES)} rules on a Rollout, processor, median",
            median(on_rollout),
            "ms",
            REVIEWS,
            1.0,
        ),
        Figure("the same, p99", percentile(on_rollout, 99), "ms", REVIEWS),
        Figure("the same on a Deployment, processor, median", median(on_deployment), "ms", REVIEWS, 0.1),
        Figure("one template with one rule that refuses, processor", _alone(seed, deployed), "µs", REVIEWS),
    ]


def _reading(objects: list[Object] | tuple[Object, ...]) -> float:
    """Read policies as a process does that has read nothing yet, in milliseconds."""
    for remembered in (evaluator._compiled, parser.parse_module, reach.check_reach):
        remembered.cache_clear()
    began = process_time()
    read(objects)
    return 1000 * (process_time() - began)


def _example() -> tuple[Object, Inventory]:
    """Read the example's rollout, in production, and what is there beside it."""
    found = [
        {**each, "metadata": {**each["metadata"], "namespace": "prod"}}
        for path in sorted(EXAMPLES.glob("*.yaml"))
        for each in _documents(path.read_text())
    ]
    return next(each for each in found if each["kind"] == "Rollout"), Inventory(found)


def _documents(text: str) -> list[Object]:
    return [found.value for found in load_raw(text.encode(), "bench")]


def _reviews(ruleset: Ruleset, found: Object, there: Inventory) -> list[float]:
    """Ask again and again about one object; the first answer, for which Python compiles, does not count."""
    review = review_from(found)
    ruleset.judge(review, there, Point.CHECK)
    taken = []
    for _ in range(REVIEWS):
        began = process_time()
        ruleset.judge(review, there, Point.CHECK)
        taken.append(1000 * (process_time() - began))
    return taken


def _alone(ruleset: Ruleset, found: Object) -> float:
    """Return the microseconds that a template itself takes, once the review has been read."""
    asked = case(review_from(found), Inventory())
    (policy,) = ruleset.policies
    assert isinstance(policy, Constraint)
    assert policy.judge_case(asked, Point.CHECK)
    began = process_time()
    for _ in range(REVIEWS):
        policy.judge_case(asked, Point.CHECK)
    return 1e6 * (process_time() - began) / REVIEWS


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
