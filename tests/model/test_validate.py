"""Argo's own functions say what is wrong with a metric, word for word; objects may be there already."""

import json
from pathlib import Path

import msgspec

from davy.model.analysis import Metric, MetricProvider
from davy.model.loader import load
from davy.model.meta import Manifest
from davy.model.providers import PrometheusMetric
from davy.model.validate import check_references, validate, validate_metrics

CASES = Path(__file__).parent.parent / "cases"
ANY = {"name": "m", "provider": {}}
UP = MetricProvider(prometheus=PrometheusMetric(query="up"))


def oracle() -> list[tuple[Metric, str]]:
    """Read what Argo's ValidateMetric said of random limits (tests/cases/argo_metric_assessment.json)."""
    rows = json.loads((CASES / "argo_metric_assessment.json").read_text())
    return [
        (
            msgspec.structs.replace(msgspec.convert(ANY | row["config"], Metric), provider=UP),
            row.get("validate_error", ""),
        )
        for row in rows
    ]


def test_limits_are_refused_in_the_words_of_argo() -> None:
    rows = oracle()
    assert len(rows) > 500
    for metric, words in rows:
        assert validate_metrics([metric]) == (f"metrics[0]: {words}" if words else ""), metric


def test_the_first_words_are_argos() -> None:
    assert validate_metrics([]) == "no metrics specified"
    fine = Metric(name="a", provider=UP)
    assert validate_metrics([fine]) == ""
    assert validate_metrics([fine, fine]) == "metrics[1]: duplicate name 'a'"
    assert (
        validate_metrics([Metric(name="a", provider=MetricProvider())]) == "metrics[0]: no provider specified"
    )
    broken = Metric(name="b", provider=UP, interval="1d", failure_limit=-2)
    words = "metrics[1]: failureLimit must be >= 0, or -1 to be disabled"
    assert validate_metrics([fine, broken]) == words


SHOP = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: shop}\nspec:\n"
    "  template: {metadata: {labels: {app: shop}}}\n"
    "  strategy: {canary: {canaryService: shop, analysis: {templates: [{templateName: errors}]}}}\n"
)
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: shop%s}\nspec: {ports: [{port: 80}]}\n"
TEMPLATE = (
    "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: errors}\nspec:\n"
    "  args: %s\n  metrics: [{name: errors, provider: {prometheus: {query: up}}}]\n"
)


def values(text: str) -> list[Manifest]:
    return [document.value for document in load(text, "known.yaml")]


def test_what_is_there_already_may_be_referred_to() -> None:
    documents = load(SHOP, "shop.yaml")
    assert [finding.code for finding in check_references(documents)] == ["DV010", "DV010"]
    known = values(SERVICE % "" + "---\n" + TEMPLATE % "[]")
    assert check_references(documents, known) == ()


def test_what_is_applied_takes_the_place_of_what_is_there() -> None:
    known = values(SERVICE % "" + "---\n" + TEMPLATE % "[]")
    documents = load(SHOP + "---\n" + TEMPLATE % "[{name: window}]", "shop.yaml")
    assert [finding.title for finding in check_references(documents, known)] == ["args.window was not resolved"]


def test_another_namespace_is_another_world() -> None:
    known = values(SERVICE % ", namespace: other" + "---\n" + TEMPLATE % "[]")
    (finding,) = check_references(load(SHOP, "shop.yaml"), known)
    assert finding.title == 'service "shop" not found'


def test_kinds_without_rules_have_nothing_to_say() -> None:
    text = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: shop}\n"
    (document,) = load(text, "shop.yaml")
    assert validate(document) == ()


def test_a_flag_has_one_key_in_all_namespaces() -> None:
    text = (CASES / "complete" / "flags.yaml").read_text()
    documents = load(text + "---\n" + text.replace("namespace: shop", "namespace: other"), "flags.yaml")
    findings = check_references(documents)
    assert [finding.title for finding in findings] == [
        "FeatureFlag other/checkout.discount-enabled is here twice",
        "FeatureFlag other/checkout.sums-in-words is here twice",
    ]
