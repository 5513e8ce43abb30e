"""Davy's gates as a policy, and decisions in which nothing is told twice."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from davy.control.analysis_gates import GATE, NAME, AnalysisGates
from davy.control.governance import Governance
from davy.policy.engine import Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Review, review_of

ARGO = "argoproj.io/v1alpha1"


@dataclass(frozen=True)
class Says:
    """A policy that says the same of everything."""

    violation: Violation

    @property
    def name(self) -> str:
        return self.violation.policy

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        return [self.violation]


def template(name: str = "errors", *, namespace: str = "shop", **metric: Any) -> dict[str, Any]:
    provider = {"prometheus": {"address": "http://prometheus", "query": "sum(rate(errors[1m]))"}}
    spec = {"metrics": [{"name": "ratio", "provider": provider, **metric}]}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": ARGO, "kind": "AnalysisTemplate", "metadata": metadata, "spec": spec}


def rollout(uses: str, namespace: str = "shop") -> dict[str, Any]:
    steps = [{"setWeight": 10}, {"analysis": {"templates": [{"templateName": uses}]}}]
    pod = {
        "metadata": {"labels": {"app": "shop"}},
        "spec": {"containers": [{"name": "shop", "image": "shop:1"}]},
    }
    spec = {
        "selector": {"matchLabels": {"app": "shop"}},
        "template": pod,
        "strategy": {"canary": {"steps": steps}},
    }
    metadata = {"name": "shop", "namespace": namespace}
    return {"apiVersion": ARGO, "kind": "Rollout", "metadata": metadata, "spec": spec}


ASKS = {
    "successCondition": "len(result) > 0 && result[0] < 1",
    "failureCondition": "len(result) > 0 && result[0] >= 1",
}


def judged(found: dict[str, Any], *inventory: dict[str, Any]) -> list[tuple[str, str, str]]:
    violations = AnalysisGates().judge(review_of(found), Inventory(inventory), Point.ADMISSION)
    return [(said.rule, said.action, said.path) for said in violations]


def test_an_api_server_hears_what_a_file_would_hear() -> None:
    (said,) = AnalysisGates().judge(review_of(template()), Inventory(), Point.ADMISSION)
    assert said.sentence == (
        "[davy/analysis] this analysis can never fail: neither successCondition nor failureCondition: "
        "Argo Rollouts records every measurement as Successful"
    )
    assert (said.rule, said.action, said.path) == ("PD050", "deny", "spec.metrics[0].name")


def test_a_query_is_blind_in_a_rollout_whichever_of_both_comes_first() -> None:
    blind = ("PD055", "warn", "spec.metrics[0].provider.prometheus.query")
    assert judged(template(**ASKS), rollout("errors")) == [blind]
    assert (
        judged(template(**ASKS), rollout("errors", "other")) == judged(template(**ASKS), rollout("else")) == []
    )
    assert judged(rollout("errors"), template(**ASKS)) == [("PD055", "warn", "")]
    assert judged(rollout("errors"), template(namespace="other", **ASKS)) == []


def test_what_cannot_be_read_is_refused() -> None:
    (said,) = AnalysisGates().judge(review_of(template(sucessCondition="true")), Inventory(), Point.ADMISSION)
    assert said.broken
    assert said.action == "deny"


def test_gates_look_at_analyses_that_are_to_be_and_at_nothing_else() -> None:
    gone = Review(kind=review_of(template()).kind, object=None, old_object=template(), operation="DELETE")
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "errors"}}
    gates = Governance(policies=[AnalysisGates()])
    assert not gates.concerns(gone)
    assert not gates.concerns(review_of(service))
    assert gates.concerns(review_of(template()))
    assert judged(service) == []


def test_a_gate_and_a_rule_of_the_same_id_tell_of_a_metric_once() -> None:
    rule = Violation("teeth", "PD050", "metric ratio cannot fail", path="spec.metrics[0].successCondition")
    other = Violation("teeth", "PD050", "metric p99 cannot fail", path="spec.metrics[1]")
    governed = Governance(policies=[Says(rule), AnalysisGates(), Says(other)])
    told = governed.decide(review_of(template()))
    assert [said.source for said in told.violations] == [GATE, ""]
    assert [said.policy for said in told.violations] == [NAME, "teeth"]


def test_asking_twice_gives_the_same_answer() -> None:
    governed = Governance(policies=[AnalysisGates()])
    found = template()
    before = json.dumps(found)
    assert governed.decide(review_of(found)) == governed.decide(review_of(found))
    assert json.dumps(found) == before


def test_a_judge_whose_counters_cannot_be_read_is_told_of() -> None:
    counter = {"tried": 'sum(a{v="{{version}}"})', "happened": 'sum(b{v="{{version}}"}'}
    spec = {"service": "payments", "metrics": [{"name": "auth", "counter": counter}]}
    metadata = {"name": "payments", "namespace": "prod"}
    found = {"apiVersion": "davy.dev/v1alpha1", "kind": "Judge", "metadata": metadata, "spec": spec}
    assert judged(found) == [("PD066", "warn", "spec.metrics[0].counter.happened")]
