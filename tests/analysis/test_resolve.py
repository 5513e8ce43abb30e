"""Templates and arguments become metrics, or a sentence that says why not."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.arguments import Hashes, Unresolvable, field_value, substitute
from davy.analysis.resolve import Resolved, Unresolved, resolve
from davy.model.analysis import AnalysisTemplateRef, AnalysisTemplateSpec, Metric, SecretKeyRef
from davy.model.rollout import Rollout, RolloutAnalysis

ROLLOUT = msgspec.convert(
    {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": "payments",
            "namespace": "prod",
            "uid": "u-1",
            "labels": {"team": "pay", "tier": "1"},
            "annotations": {"example.com/owner": "ann"},
        },
        "spec": {
            "replicas": 6,
            "paused": True,
            "strategy": {"canary": {"canaryService": "payments-canary", "steps": [{"setWeight": 5}]}},
        },
    },
    Rollout,
)
HASHES = Hashes(stable="aaa", latest="bbb")


def metric(name: str, query: str = "up") -> dict[str, Any]:
    return {"name": name, "provider": {"prometheus": {"query": query}}}


def settle(analysis: dict[str, Any], /, **templates: dict[str, Any]) -> Resolved | Unresolved:
    """Resolve an analysis; a template whose name begins with `cluster_` is one of the cluster."""
    return resolve(
        msgspec.convert(analysis, RolloutAnalysis),
        {
            AnalysisTemplateRef(name, name.startswith("cluster_")): msgspec.convert(spec, AnalysisTemplateSpec)
            for name, spec in templates.items()
        },
        ROLLOUT,
        HASHES,
    )


def resolved(analysis: dict[str, Any], /, **templates: dict[str, Any]) -> Resolved:
    found = settle(analysis, **templates)
    assert isinstance(found, Resolved), found
    return found


def refusal(analysis: dict[str, Any], /, **templates: dict[str, Any]) -> str:
    found = settle(analysis, **templates)
    assert isinstance(found, Unresolved)
    return found.message


def queries(found: Resolved) -> list[str]:
    return [metric.provider.prometheus.query for metric in found.metrics if metric.provider.prometheus]


def uses(*names: str) -> dict[str, Any]:
    return {
        "templates": [{"templateName": name, "clusterScope": name.startswith("cluster_")} for name in names]
    }


def test_arguments_are_filled_into_every_text_of_a_metric() -> None:
    template = {
        "args": [{"name": "service"}, {"name": "limit", "value": "0.02"}, {"name": "times", "value": "3"}],
        "metrics": [
            {
                "name": "rate-{{args.service}}",
                "count": "{{args.times}}",
                "interval": "30s",
                "successCondition": "result[0] <= {{ args.limit }}",
                "provider": {
                    "plugin": {"own/{{args.service}}": {"deep": [{"q": "a{{args.service}}b{{args.limit}}"}, 5]}}
                },
            }
        ],
    }
    found = resolved(
        uses("err") | {"args": [{"name": "service", "value": 'pay"{{args.limit}}\n'}]}, err=template
    )
    assert msgspec.to_builtins(found.metrics[0]) == {
        "name": 'rate-pay"{{args.limit}}\n',
        "count": "3",
        "interval": "30s",
        "successCondition": "result[0] <= 0.02",
        "provider": {
            "plugin": {'own/pay"{{args.limit}}\n': {"deep": [{"q": 'apay"{{args.limit}}\nb0.02'}, 5]}}
        },
    }


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ({"podTemplateHashValue": "Stable"}, "aaa"),
        ({"podTemplateHashValue": "Latest"}, "bbb"),
        ({"fieldRef": {"fieldPath": "metadata.name"}}, "payments"),
        ({"fieldRef": {"fieldPath": "metadata.namespace"}}, "prod"),
        ({"fieldRef": {"fieldPath": "metadata.uid"}}, "u-1"),
        ({"fieldRef": {"fieldPath": "metadata.labels['team']"}}, "pay"),
        ({"fieldRef": {"fieldPath": "metadata.annotations['example.com/owner']"}}, "ann"),
        ({"fieldRef": {"fieldPath": "metadata.labels['nobody']"}}, ""),
        ({"fieldRef": {"fieldPath": "metadata.labels"}}, 'team="pay"\ntier="1"'),
        ({"fieldRef": {"fieldPath": "metadata.annotations"}}, 'example.com/owner="ann"'),
        ({"fieldRef": {"fieldPath": "spec.replicas"}}, "6"),
        ({"fieldRef": {"fieldPath": "spec.paused"}}, "true"),
        ({"fieldRef": {"fieldPath": "spec.strategy.canary.canaryService"}}, "payments-canary"),
        ({"fieldRef": {"fieldPath": "spec.strategy.canary.steps[0].setWeight"}}, "5"),
    ],
)
def test_values_come_from_hashes_and_from_fields_of_the_rollout(source: dict[str, Any], value: str) -> None:
    template = {"args": [{"name": "x"}], "metrics": [metric("m", "q{{args.x}}")]}
    found = resolved(uses("t") | {"args": [{"name": "x", "valueFrom": source}]}, t=template)
    assert queries(found) == [f"q{value}"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("metadata.finalizers", "unsupported fieldPath: metadata.finalizers"),
        ("spec.nothing", "invalid path spec.nothing in rollout"),
        ("spec.replicas.deeper", "invalid path spec.replicas.deeper in rollout"),
        ("spec.strategy", "path spec.strategy in rollout must terminate in a primitive value"),
        ("spec.strategy.canary.steps", "path spec.strategy.canary.steps in rollout must terminate"),
        ("spec.strategy.canary.steps[7]", "index 7 out of range in spec.strategy.canary.steps[7]"),
        ("spec.strategy.canary.steps[x]", "invalid index 'x' in spec.strategy.canary.steps[x]"),
        ("", "path  in rollout must terminate"),
    ],
)
def test_a_field_that_is_not_there_is_an_error(path: str, message: str) -> None:
    with pytest.raises(Unresolvable) as caught:
        field_value(ROLLOUT, path)
    assert message in str(caught.value)
    arguments = {"args": [{"name": "x", "valueFrom": {"fieldRef": {"fieldPath": path}}}]}
    assert message in refusal(uses("t") | arguments, t={"args": [{"name": "x"}], "metrics": [metric("m")]})


def test_a_template_may_read_a_field_itself() -> None:
    template = {
        "args": [{"name": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "metrics": [metric("m", "{{args.x}}")],
    }
    assert queries(resolved(uses("t"), t=template)) == ["payments"]


def test_a_secret_stays_a_placeholder_unless_the_rollout_gives_the_value() -> None:
    template = {
        "args": [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "metrics": [metric("m", "{{args.token}}")],
    }
    kept = resolved(uses("t"), t=template)
    assert queries(kept) == ["{{args.token}}"]
    assert kept.secrets == {"token": SecretKeyRef("s", "k")}
    given_by_rollout = resolved(uses("t") | {"args": [{"name": "token", "value": "v"}]}, t=template)
    assert queries(given_by_rollout) == ["v"]
    assert not given_by_rollout.secrets


def test_nothing_that_is_filled_in_can_become_the_placeholder_of_a_secret() -> None:
    template = {
        "args": [{"name": "x"}, {"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "metrics": [metric("m", "{{args.x}} {{args.token}}")],
    }
    given = {"args": [{"name": "x", "value": "{{args.token}}"}]}
    assert refusal(uses("t") | given, t=template) == (
        "args.x holds '{{', and could be taken for a secret beside it"
    )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{{args.nobody}}", "failed to resolve {{args.nobody}}"),
        ("{{nobody}}", "failed to resolve {{nobody}}"),
        ("{{x}}", "failed to resolve {{x}}"),
        ("a {{args.x", "'{{args.x' is not closed"),
    ],
)
def test_what_cannot_be_filled_in_is_an_error(query: str, message: str) -> None:
    template = {"args": [{"name": "x", "value": "1"}], "metrics": [metric("m", query)]}
    assert refusal(uses("t"), t=template) == message


def test_arguments_are_filled_into_lists_of_parts() -> None:
    prometheus = {"query": "up", "headers": [{"key": "X-Scope", "value": "{{args.x}}"}]}
    template = {
        "args": [{"name": "x", "value": "team"}],
        "metrics": [{"name": "m", "provider": {"prometheus": prometheus}}],
    }
    [found] = resolved(uses("t"), t=template).metrics
    assert found.provider.prometheus is not None
    assert found.provider.prometheus.headers[0].value == "team"


def test_an_argument_without_a_value_is_an_error() -> None:
    template = {"args": [{"name": "x"}], "metrics": [metric("m")]}
    assert refusal(uses("t"), t=template) == "args.x was not resolved"
    sourceless = {"args": [{"name": "x", "valueFrom": {}}], "metrics": [metric("m")]}
    assert refusal(uses("t"), t=sourceless) == "args.x was not resolved"


def test_a_hash_of_something_else_is_an_error() -> None:
    arguments = {"args": [{"name": "x", "valueFrom": {"podTemplateHashValue": "Old"}}]}
    template = {"args": [{"name": "x"}], "metrics": [metric("m")]}
    assert "Stable or Latest, not Old" in refusal(uses("t") | arguments, t=template)


def test_templates_are_put_together() -> None:
    found = resolved(
        uses("a", "b"),
        a={"args": [{"name": "x"}], "metrics": [metric("one", "{{args.x}}")]},
        b={"args": [{"name": "x", "value": "7"}], "metrics": [metric("two", "{{args.x}}")]},
    )
    assert queries(found) == ["7", "7"]


def test_equal_values_agree_and_different_ones_do_not() -> None:
    one = {"args": [{"name": "x", "value": "1"}], "metrics": [metric("one", "{{args.x}}")]}
    two = {"args": [{"name": "x", "value": "2"}], "metrics": [metric("two")]}
    silent = {"args": [{"name": "x"}], "metrics": [metric("three")]}
    assert queries(resolved(uses("one", "again"), one=one, again={"args": one["args"]})) == ["1"]
    assert queries(resolved(uses("one", "silent"), one=one, silent=silent)) == ["1", "up"]
    assert refusal(uses("one", "two"), one=one, two=two) == (
        "Argument `x` specified multiple times with different values: '1', '2'"
    )


def test_metrics_of_one_name_are_an_error() -> None:
    template = {"metrics": [metric("m")]}
    assert refusal(uses("a", "b"), a=template, b=template) == "two metrics have the same name 'm'"


def test_templates_name_templates_and_a_circle_ends() -> None:
    found = resolved(
        uses("a", "cluster_b"),
        a={"metrics": [metric("one", "1")], **uses("cluster_b", "c")},
        cluster_b={"metrics": [metric("two", "2")], **uses("a")},
        c={"metrics": [metric("three", "3")]},
    )
    assert queries(found) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("name", "kind"), [("gone", "AnalysisTemplate"), ("cluster_gone", "ClusterAnalysisTemplate")]
)
def test_a_template_that_is_not_there_is_an_error(name: str, kind: str) -> None:
    assert refusal(uses(name)) == f"{kind} '{name}' not found"
    assert refusal(uses("a"), a={"metrics": [metric("m")], **uses(name)}) == f"{kind} '{name}' not found"


def test_arguments_that_nobody_takes_are_reported_and_not_evaluated() -> None:
    arguments = [
        {"name": "canary-hash", "valueFrom": {"fieldRef": {"fieldPath": "spec.nothing"}}},
        {"name": "canary-hash", "value": "1"},
    ]
    found = resolved(uses("t") | {"args": arguments}, t={"metrics": [metric("m")]})
    assert found.undeclared == ("canary-hash",)


def test_rules_are_unanchored_regular_expressions() -> None:
    template = {
        "metrics": [metric("err-rate"), metric("latency"), metric("err-count")],
        "dryRun": [{"metricName": "^err-r"}],
        "measurementRetention": [{"metricName": "err", "limit": 30}],
    }
    extra = {
        "dryRun": [{"metricName": "aten"}],
        "measurementRetention": [{"metricName": "count$", "limit": 5}, {"metricName": "lat", "limit": 0}],
    }
    found = resolved(uses("t") | extra, t=template)
    assert found.dry_run == {"err-rate", "latency"}
    assert found.retention == {"err-rate": 30, "err-count": 5}


def test_a_rule_that_matches_nothing_is_an_error() -> None:
    template = {"metrics": [metric("m")]}
    nothing = {"dryRun": [{"metricName": ".*"}, {"metricName": "typo"}]}
    assert refusal(uses("t") | nothing, t=template) == "dryRun[1]: Rule didn't match any metric name(s)"
    star = {"measurementRetention": [{"metricName": "*", "limit": 5}]}
    assert refusal(uses("t") | star, t=template) == (
        "measurementRetention[0]: Rule didn't match any metric name(s): "
        "'*' is not a regular expression (no argument for repetition operator: *)"
    )


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_is_filled_in_arrives_as_it_was(value: str, around: str) -> None:
    around = around.replace("{", "").replace("}", "")
    found = substitute(msgspec.convert(metric("m", around + "{{args.x}}" + around), Metric), {"x": value})
    assert found.provider.prometheus is not None
    assert found.provider.prometheus.query == around + value + around
