"""`davy fix` moves thresholds out of queries, leaves every other byte alone, and is done after one go."""

import json
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.analysis.condition import assess
from davy.analysis.fix import fix
from davy.analysis.phase import Phase
from davy.model.analysis import AnalysisTemplate, Metric
from davy.model.loader import load

SEED = (Path(__file__).parents[1] / "cases" / "seed" / "payments-canary.yaml").read_text()
HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: t}\n"


def template(body: str) -> str:
    return HEAD + dedent(body).lstrip("\n")


def metrics(text: str) -> tuple[Metric, ...]:
    [document] = load(text, "t.yaml")
    assert isinstance(document.value, AnalysisTemplate)
    return document.value.spec.metrics


def with_query(scalar: str) -> str:
    provider = f"provider: {{prometheus: {{query: {scalar}}}}}"
    return f"{HEAD}spec:\n  args: [{{name: x}}]\n  metrics:\n  - name: m\n    {provider}\n"


def mended(query: str) -> Metric:
    """Fix a template with this query, and return its metric, which has to have teeth."""
    fixed = fix(with_query(json.dumps(query)), "t")
    assert fixed.findings == ()
    [metric] = metrics(fixed.text)
    return metric


def query_of(metric: Metric) -> str:
    assert metric.provider.prometheus is not None
    return metric.provider.prometheus.query


def test_the_seed_gets_teeth() -> None:
    fixed = fix(SEED, "payments-canary.yaml")
    expected = SEED.replace(" > 0.02", "").replace(" > 0.400", "")
    first, second = (
        f"    successCondition: len(result) > 0 && result[0] <= {limit}\n"
        f"    failureCondition: len(result) > 0 && result[0] > {limit}\n    provider:"
        for limit in ("0.02", "0.400")
    )
    before, between, after = expected.split("    provider:")
    assert fixed.text == before + first + between + second + after
    assert fixed.findings == ()
    assert len(fixed.edits) == 4
    assert fixed.edits[0].what == (
        "http_5xx_rate: successCondition len(result) > 0 && result[0] <= 0.02 "
        "and failureCondition len(result) > 0 && result[0] > 0.02"
    )
    assert fixed.edits[1].what == "http_5xx_rate: the query answers with the value itself"


@pytest.mark.parametrize("result", [(), (float("nan"),)])
def test_no_data_is_inconclusive_after_mending(result: tuple[float, ...]) -> None:
    for query in (
        "sum(up) > 1",
        "up > 1",
        "sum(up) == 0",
        "up == 0",
        "sum(up) != 1",
        "up != 1",
        "1 >= sum(up)",
    ):
        metric = mended(query)
        assert assess(result, metric.success_condition, metric.failure_condition).phase is Phase.INCONCLUSIVE


BEFORE_AND_AFTER = {
    "a query in quotes on one line, comments all over": (
        """
        spec:
          metrics:   # what counts
          # the errors
          - name: errors  # of users
            # asked often
            interval: 30s   # half a minute
            # in Prometheus
            provider:
              prometheus:
                query: "sum(a) / sum(b) > 0.5"   # half of them
                address: http://p:9090
        """,
        """
        spec:
          metrics:   # what counts
          # the errors
          - name: errors  # of users
            # asked often
            interval: 30s   # half a minute
            successCondition: len(result) > 0 && result[0] <= 0.5
            failureCondition: len(result) > 0 && result[0] > 0.5
            # in Prometheus
            provider:
              prometheus:
                query: "sum(a) / sum(b)"   # half of them
                address: http://p:9090
        """,
    ),
    "a folded query with the number first and the provider first": (
        """
        spec:
          metrics:
            - provider:
                prometheus:
                  query: >-
                    0.5 <
                    sum(a)
                      / sum(b)
              name: errors
        """,
        """
        spec:
          metrics:
            - successCondition: len(result) > 0 && result[0] <= 0.5
              failureCondition: len(result) > 0 && result[0] > 0.5
              provider:
                prometheus:
                  query: >-
                    sum(a)
                      / sum(b)
              name: errors
        """,
    ),
    "a block with the comparison on a line of its own and a comment after it": (
        """
        spec:
          metrics:
          - name: errors
            count: 3
            interval: 5s
            provider:
              prometheus:
                query: |
                  # what users met
                  sum(a)  # errors

                  > 3  # three

          - {name: other, successCondition: "result < 1", provider: {web: {url: "http://x"}}}
        """,
        """
        spec:
          metrics:
          - name: errors
            count: 3
            interval: 5s
            successCondition: len(result) > 0 && result[0] <= 3
            failureCondition: len(result) > 0 && result[0] > 3
            provider:
              prometheus:
                query: |
                  # what users met
                  sum(a)  # errors  # three

          - {name: other, successCondition: "result < 1", provider: {web: {url: "http://x"}}}
        """,
    ),
    "several series in a block": (
        """
        spec:
          metrics:
          - name: a
            provider: {prometheus: {query: a > 1}}
        """,
        """
        spec:
          metrics:
          - name: a
            successCondition: "len(result) > 0 && all(result, # <= 1)"
            failureCondition: "any(result, # > 1)"
            provider: {prometheus: {query: a}}
        """,
    ),
    "placeholders": (
        """
        spec:
          args: [{name: app}, {name: limit}, {name: window}]
          metrics:
          - name: a
            provider:
              prometheus:
                query: sum(rate({{args.app}}_errors{app="{{args.app}}"}[{{args.window}}])) > {{ args.limit }}
        """,
        """
        spec:
          args: [{name: app}, {name: limit}, {name: window}]
          metrics:
          - name: a
            successCondition: len(result) > 0 && result[0] <= {{ args.limit }}
            failureCondition: len(result) > 0 && result[0] > {{ args.limit }}
            provider:
              prometheus:
                query: sum(rate({{args.app}}_errors{app="{{args.app}}"}[{{args.window}}]))
        """,
    ),
    "an anchor of its own": (
        """
        spec:
          metrics:
          - &first
            name: a
            provider: &p {prometheus: {query: sum(a) > 1}}
        """,
        """
        spec:
          metrics:
          - &first
            name: a
            successCondition: len(result) > 0 && result[0] <= 1
            failureCondition: len(result) > 0 && result[0] > 1
            provider: &p {prometheus: {query: sum(a)}}
        """,
    ),
}


@pytest.mark.parametrize("name", BEFORE_AND_AFTER)
def test_only_what_has_to_change_changes(name: str) -> None:
    before, after = BEFORE_AND_AFTER[name]
    fixed = fix(template(before), "t.yaml")
    assert fixed.text == template(after)
    assert fixed.findings == ()
    again = fix(fixed.text, "t.yaml")
    assert (again.text, again.edits) == (fixed.text, ())


def test_flow_style_stays_flow_style() -> None:
    before = "spec: {metrics: [{name: a,  provider: {prometheus: {query: 'sum(a{b=''c''}) < 1e3'}}}]}  # one\n"
    fixed = fix(HEAD + before, "t.yaml")
    conditions = (
        '"successCondition": "len(result) > 0 && result[0] >= 1000.0", '
        '"failureCondition": "len(result) > 0 && result[0] < 1000.0", '
    )
    assert fixed.text == HEAD + before.replace("provider", conditions + "provider").replace(" < 1e3", "")
    assert (fixed.findings, fix(fixed.text, "t.yaml").edits) == ((), ())


def test_lines_end_as_they_did() -> None:
    fixed = fix(SEED.replace("\n", "\r\n"), "f")
    assert fixed.text == fix(SEED, "f").text.replace("\n", "\r\n")
    mixed = SEED.replace("failureLimit: 1\n", "failureLimit: 1\r\n", 1)
    first = fix(mixed, "f").text
    assert first.count("\r\n") == 3
    assert first.replace("\r\n", "\n") == fix(SEED, "f").text


def test_json_stays_json() -> None:
    document = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ClusterAnalysisTemplate",
        "metadata": {"name": "t"},
        "spec": {"metrics": [{"provider": {"prometheus": {"query": 'sum(a{b="c"}) > 2'}}, "name": "m"}]},
    }
    [metric] = json.loads(fix(json.dumps(document, indent=1), "t.json").text)["spec"]["metrics"]
    assert metric["provider"]["prometheus"]["query"] == 'sum(a{b="c"})'
    assert metric["failureCondition"] == "len(result) > 0 && result[0] > 2"


@pytest.mark.parametrize(
    "query",
    [
        "sum(a)",
        "a > b",
        "sum(a) > bool 1",
        "sum(a) > +Inf",
        "sum(a) > ({{args.x}})",
        "sum({{args.x}}) > 1",
    ],
)
def test_what_cannot_be_mended_stays_and_is_told(query: str) -> None:
    text = with_query(f"'{query}'")
    fixed = fix(text, "t")
    assert (fixed.text, fixed.edits) == (text, ())
    assert [finding.code for finding in fixed.findings] == ["PD050"]
    assert "davy fix" not in fixed.findings[0].fix


@pytest.mark.parametrize(
    "metric",
    [
        'name: m\n    successCondition: ""\n    provider: {prometheus: {query: sum(a) > 1}}',
        "name: m\n    failureCondition: result < 1\n    provider: {prometheus: {query: sum(a) > 1}}",
        'name: m\n    provider: {prometheus: {query: "sum(a) \\x3e 1"}}',
        "name: m\n    provider: &p {prometheus: {query: sum(a) > 1}}\n  - {name: n, provider: *p}",
    ],
)
def test_what_is_not_safe_to_edit_stays(metric: str) -> None:
    text = f"{HEAD}spec:\n  metrics:\n  - {metric}\n"
    assert fix(text, "t").text == text


def test_a_text_that_would_become_too_long_stays() -> None:
    text = SEED + "# " + "x" * (3 * 2**20 - len(SEED) - 2)
    fixed = fix(text, "t")
    assert (fixed.text, fixed.edits) == (text, ())
    assert [finding.code for finding in fixed.findings] == ["PD050", "PD050"]


def test_what_cannot_be_read_stays() -> None:
    fixed = fix("kind: [", "t")
    assert (fixed.text, fixed.edits) == ("kind: [", ())
    assert fixed.findings


@pytest.mark.parametrize(
    ("query", "success", "failure"),
    [
        ("sum(a) > 0.020", "result[0] <= 0.020", "result[0] > 0.020"),
        ("sum(a) >= -1", "result[0] < -1", "result[0] >= -1"),
        ("sum(a) < .5", "result[0] >= 0.5", "result[0] < 0.5"),
        ("5 < sum(a)", "result[0] <= 5", "result[0] > 5"),
        ("(((5)) >= (sum(a)))", "result[0] > 5.0", "result[0] <= 5.0"),
        ("sum(a) == 0", "result[0] != 0 && !isNaN(result[0])", "result[0] == 0"),
        ("sum(a) != 1", "result[0] == 1", "result[0] != 1 && !isNaN(result[0])"),
        ("sum(a) > 5m", "result[0] <= 300.0", "result[0] > 300.0"),
        ("-sum(a) * 2 > 1", "result[0] <= 1", "result[0] > 1"),
        ("abs(sum(a)) > 1", "result[0] <= 1", "result[0] > 1"),
        ("vector(time()) > 1", "result[0] <= 1", "result[0] > 1"),
    ],
)
def test_a_comparison_becomes_two_conditions(query: str, success: str, failure: str) -> None:
    metric = mended(query)
    assert metric.success_condition == f"len(result) > 0 && {success}"
    assert metric.failure_condition == f"len(result) > 0 && {failure}"


@pytest.mark.parametrize(
    ("query", "success", "failure"),
    [
        ("a > 1", "# <= 1", "# > 1"),
        ("sum by (x) (a) == 0", "# != 0 && !isNaN(#)", "# == 0"),
        ("sum without (x) (a) != 0", "# == 0", "# != 0 && !isNaN(#)"),
        ("topk(3, a) > 1", "# <= 1", "# > 1"),
        ("rate(a[5m]) > 1", "# <= 1", "# > 1"),
        ("histogram_quantile(0.9, sum by (le, x) (a)) > 1", "# <= 1", "# > 1"),
        ("(sum(a) or b) > 1", "# <= 1", "# > 1"),
    ],
)
def test_every_series_counts_where_there_may_be_several(query: str, success: str, failure: str) -> None:
    metric = mended(query)
    assert metric.success_condition == f"len(result) > 0 && all(result, {success})"
    assert metric.failure_condition == f"any(result, {failure})"


numbers = st.floats(-1e6, 1e6).map(lambda number: round(number, 4))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["sum(a)", "a"]),
    st.sampled_from([">", ">=", "<", "<=", "==", "!="]),
    numbers,
    st.lists(numbers, min_size=1, max_size=1),
)
def test_the_conditions_say_what_the_comparison_said(
    query: str, operator: str, threshold: float, values: list[float]
) -> None:
    metric = mended(f"{query} {operator} {threshold!r}")
    assert query_of(metric) == query
    [value] = values
    bad = {
        ">": value > threshold,
        ">=": value >= threshold,
        "<": value < threshold,
        "<=": value <= threshold,
        "==": value == threshold,
        "!=": value != threshold,
    }[operator]
    phase = assess(tuple(values), metric.success_condition, metric.failure_condition).phase
    assert phase is (Phase.FAILED if bad else Phase.SUCCESSFUL)
