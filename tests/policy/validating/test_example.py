"""The example that the documentation shows."""

from pathlib import Path

from ruamel.yaml import YAML

from davy.policy.engine import Point
from davy.policy.inventory import Inventory
from davy.policy.review import review_of
from davy.policy.validating.reading import read

ROOT = Path(__file__).parents[3]


def test_the_example_refuses_the_example() -> None:
    reading = read(list(YAML(typ="safe").load_all(ROOT / "integrations" / "policies" / "few-replicas.yaml")))
    (rollout,) = (
        found
        for found in YAML(typ="safe").load_all(ROOT / "examples" / "payments" / "rollout.yaml")
        if found["kind"] == "Rollout"
    )
    assert reading.problems == ()
    (policy,) = reading.policies
    (violation,) = policy.judge(review_of(rollout), Inventory(), Point.CHECK)
    assert violation.message == "at most 5 replicas, and not 6"
