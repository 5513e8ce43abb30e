"""A query that sums over all versions is told of, with how bad a canary has to be before it shows."""

from pathlib import Path

import pytest

from davy.analysis.blind import blind_spots
from davy.model.loader import load
from davy.model.rollout import Rollout

CASES = Path(__file__).parents[1] / "cases" / "seed"

ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: payments}}
spec:
  selector: {{matchLabels: {{app: payments}}}}
  template: {{metadata: {{labels: {{app: payments}}}}, spec: {{containers: [{{name: a, image: b}}]}}}}
  strategy:
    {strategy}
---
"""
TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: {kind}
metadata: {{name: {name}}}
spec:
  args: [{{name: app, value: payments}}, {{name: hash, value: ""}}]
  {rest}
  metrics:
  - name: m
    {conditions}
    provider:
      prometheus:
        query: |
          {query}
---
"""
RATIO = 'sum(rate(http_requests_total{app="payments",status=~"5.."}[1m])) / sum(rate(http_requests_total[1m]))'
CANARY = (
    "canary: {{canaryService: payments-canary, steps: [{{setWeight: {weight}}},"
    " {{analysis: {{templates: [{{templateName: t}}]{args}}}}}]}}"
)


def template(
    query: str, conditions: str = "count: 1", name: str = "t", rest: str = "", kind: str = "AnalysisTemplate"
) -> str:
    return TEMPLATE.format(query=query, conditions=conditions, name=name, rest=rest, kind=kind)


def labels(strategy: str, *templates: str) -> list[str]:
    """Find the blind spots of a rollout; each by its label."""
    rollout, *documents = load(ROLLOUT.format(strategy=strategy) + "".join(templates), "f")
    assert isinstance(rollout.value, Rollout)
    found = blind_spots(rollout.value, [rollout, *documents])
    assert {(finding.code, finding.severity) for finding in found} <= {("PD055", "warning")}
    return [finding.label for finding in found]


def at(weight: int, query: str, conditions: str = "count: 1", args: str = "") -> list[str]:
    return labels(CANARY.format(weight=weight, args=args), template(query, conditions))


def test_the_seed_lets_a_canary_through_that_fails_two_requests_in_five() -> None:
    documents = load((CASES / "payments-canary.yaml").read_text(), "payments.yaml")
    assert isinstance(documents[0].value, Rollout)
    first, second = blind_spots(documents[0].value, documents)
    assert first.label == (
        "at 5 % of the traffic only a canary that fails 40 % of its requests makes this reach 0.02"
    )
    assert (first.place.line, first.source_line.strip(), first.length) == (49, "query: |", 5)
    assert second.label == (
        "at 25 % of the traffic only a canary that is too slow for 20 % of its requests "
        "moves this quantile beyond 0.4"
    )


@pytest.mark.parametrize(
    ("weight", "conditions", "words"),
    [
        (
            5,
            "failureCondition: len(result) > 0 && result[0] > 0.02",
            "fails 40 % of its requests makes this reach 0.02",
        ),
        (5, "successCondition: result[0] <= 0.02", "fails 40 % of its requests makes this reach 0.02"),
        (5, "failureCondition: 0.02 <= result[0]", "fails 40 % of its requests makes this reach 0.02"),
        (20, "successCondition: result[0] >= 0.95", "fails 25 % of its requests makes this reach 0.95"),
        (20, "successCondition: 0.95 < result[0]", "fails 25 % of its requests makes this reach 0.95"),
        (
            5,
            "successCondition: 'any(result, # < {{args.app}})'\n    failureCondition: result[0] > 0.02",
            "fails 40 %",
        ),
        (
            5,
            "failureCondition: result[0] > 0.1",
            "at 5 % of the traffic not even a canary whose every request is bad",
        ),
        (5, "failureCondition: result[0] > 0.05", "only a canary that fails 100 % of its requests"),
        (10, "count: 1", "it sums over all versions, and the canary is 10 % of what it sees"),
        (
            10,
            "failureCondition: result[0] > 5",
            "it sums over all versions, and the canary is 10 % of what it sees",
        ),
        (10, "failureCondition: result[0] == 0.5", "it sums over all versions, and the canary is 10 %"),
        (10, "failureCondition: result[0] > 'x'", "it sums over all versions, and the canary is 10 %"),
        (10, "failureCondition: result[0] = 0.5", "it sums over all versions, and the canary is 10 %"),
        (
            0,
            "failureCondition: result[0] > 0.1",
            "before the new version has traffic this measures the one that is live",
        ),
    ],
)
def test_how_bad_a_canary_has_to_be(weight: int, conditions: str, words: str) -> None:
    [label] = at(weight, RATIO, conditions)
    assert words in label


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (f"{RATIO} > 0.02", "fails 40 %"),
        (f"0.98 > 1 - {RATIO}", "it sums over all versions"),
        ("sum(a) / sum(b) < 0.99", "fails 20 %"),
        ("sum(a) / sum(b) == 0.5", "it sums over all versions"),
        (
            "histogram_quantile(0.99, sum(a) by (le)) > 2",
            "too slow for 20 % of its requests moves this quantile beyond 2",
        ),
        ("histogram_quantile(0.95, sum(a) by (le)) > 2", "too slow for 100 %"),
        ("histogram_quantile(0.5, sum(a) by (le)) > 2", "not even a canary whose every request is bad"),
        ("histogram_quantile(0.5, sum(a) by (le))", "it sums over all versions"),
    ],
)
def test_thresholds_are_found_in_queries(query: str, words: str) -> None:
    [label] = at(5, query)
    assert words in label


LATEST = ", args: [{name: hash, valueFrom: {podTemplateHashValue: Latest}}, {name: other, value: x}]"
STABLE = ", args: [{name: hash, valueFrom: {podTemplateHashValue: Stable}}]"


@pytest.mark.parametrize(
    ("query", "args"),
    [
        ('sum(a{hash="{{args.hash}}"})', LATEST),
        ('sum(a{pod=~"payments-{{args.hash}}-.*"}) / sum(a)', LATEST),
        ('sum(a{rollouts_pod_template_hash="{{args.hash}}"})', LATEST),
        ('sum(a{hash!="{{args.hash}}"})', STABLE),
        ('sum(a{service="payments-canary"})', ""),
        ('sum(a{destination_service_name=~"payments-canary.*"})', ""),
        ('sum(a{track="canary"})', ""),
        ('sum(a{cluster="shop_canary_1"})', ""),
        ('sum(a{destination_version="v2"})', ""),
        ('sum(a{x="1" or version="v2"})', ""),
        ("time()", ""),
        ("this is no query", ""),
        ("", ""),
    ],
)
def test_queries_that_see_the_canary_are_left_alone(query: str, args: str) -> None:
    assert at(5, query, args=args) == []


@pytest.mark.parametrize(
    ("query", "args"),
    [
        ('sum(a{rollouts_pod_template_hash="{{args.hash}}"})', STABLE),
        ('sum(a{rollouts_pod_template_hash="{{args.hash}}"})', ""),
        ('sum(a{hash!="{{args.hash}}"})', LATEST),
        ('sum(a{service!="payments-canary"})', ""),
        ('sum(a{app="{{args.app}}"})', ""),
        ('sum(a{conversion="1"})', ""),
        ('sum(a{app="scanary"})', ""),
    ],
)
def test_queries_that_see_another_version_are_told_of(query: str, args: str) -> None:
    assert len(at(5, query, args=args)) == 1


def test_the_smallest_share_that_a_template_meets_first_counts_and_is_told_once() -> None:
    strategy = """canary:
      trafficRouting: {maxTrafficWeight: 1000, plugins: {mine: {}}}
      steps:
      - setWeight: 50
      - pause: {}
      - analysis: {templates: [{templateName: t}]}
      - setWeight: 500
      - analysis: {templates: [{templateName: t}]}"""
    [label] = labels(strategy, template(RATIO, "failureCondition: result[0] > 0.02"))
    assert "at 5 % of the traffic" in label


def test_an_analysis_of_the_whole_traffic_sees_the_new_version() -> None:
    assert at(100, RATIO) == []


@pytest.mark.parametrize(
    ("start", "share"), [("", "5 %"), (", startingStep: 2", "40 %"), (", startingStep: 9", "")]
)
def test_a_background_analysis_meets_the_first_weight_after_its_start(start: str, share: str) -> None:
    strategy = (
        f"canary: {{analysis: {{templates: [{{templateName: t}}]{start}}}, "
        "steps: [{pause: {}}, {setWeight: 5}, {setWeight: 40}]}"
    )
    found = labels(strategy, template(RATIO))
    assert len(found) == bool(share)
    assert all(f"is {share} of" in label for label in found)


def test_before_a_blue_green_switch_the_old_version_is_measured() -> None:
    analysis = "prePromotionAnalysis: {templates: [{templateName: t}]}, "
    active = "activeService: live"
    assert labels(f"blueGreen: {{{analysis}{active}}}", template(RATIO)) == [
        "before the new version has traffic this measures the one that is live"
    ]
    assert labels(f"blueGreen: {{{active}}}", template(RATIO)) == []
    assert labels(f"blueGreen: {{{analysis}{active}}}", template('sum(a{service="shop-preview"})')) == []


def test_templates_are_found_by_kind_and_name_and_through_other_templates() -> None:
    nested = "templates: [{templateName: all, clusterScope: true}, {templateName: t}]"
    found = labels(
        CANARY.format(weight=10, args=""),
        template('sum(a{track="canary"})', rest=nested),
        template(RATIO, name="all", kind="ClusterAnalysisTemplate"),
        template(RATIO, name="all"),
        template(RATIO, name="unused"),
    )
    assert len(found) == 1


def test_a_template_of_another_namespace_is_not_the_rollouts() -> None:
    elsewhere = template(f"{RATIO} > 0.02").replace("{name: t}", "{name: t, namespace: elsewhere}")
    assert "namespace: elsewhere" in elsewhere
    assert labels(CANARY.format(weight=5, args=""), elsewhere) == []


def test_other_providers_have_no_query_to_look_at() -> None:
    web = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: t}
spec: {metrics: [{name: m, provider: {web: {url: "http://x"}}}]}
"""
    assert labels(CANARY.format(weight=10, args=""), web) == []
