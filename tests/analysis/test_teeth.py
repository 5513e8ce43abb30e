"""Templates without teeth are found by running them, and templates with teeth are left alone."""

from itertools import takewhile
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.analysis.phase import Phase
from davy.analysis.probe import on_data, on_nothing
from davy.analysis.rules import RULES
from davy.analysis.teeth import inspect, weaknesses
from davy.model.analysis import AnalysisTemplate, Metric
from davy.model.document import Document
from davy.model.finding import Finding, render
from davy.model.loader import load

SEED = (
    Path(__file__).parents[1] / "cases" / "seed" / "payments-canary.yaml"
)  # the manifests of the seed, as they are

VECTOR = "provider: {prometheus: {query: 'sum(rate(errors[1m])) / sum(rate(requests[1m]))'}}"
SCALAR = "provider: {prometheus: {query: scalar(sum(errors))}}"
UNKNOWN = "provider: {datadog: {query: 'avg:errors'}}"
WEB = "provider: {web: {url: 'http://judge/verdict'}}"
TEETH = (
    "successCondition: len(result) > 0 && result[0] <= 0.02\n"
    "failureCondition: len(result) > 0 && result[0] > 0.02"
)


def document(*metrics: str, rest: str = "") -> Document:
    listed = "".join(
        indent(f"- name: m{number}\n", "  ") + indent(metric, "    ") + "\n"
        for number, metric in enumerate(metrics)
    )
    text = (
        "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata:\n  name: t\nspec:\n"
        f"{indent(rest, '  ')}\n  metrics:\n{listed}"
    )
    [found] = load(text, "t.yaml")
    return found


def told(metric: str, rest: str = "") -> list[tuple[str, str]]:
    """Inspect one metric; each finding as its code, and the text under it."""
    found = document(metric, rest=rest)
    return [(finding.code, underlined(finding)) for finding in inspect(found)]


def underlined(finding: Finding) -> str:
    start = finding.place.column - 1
    return finding.source_line[start : start + finding.length]


def test_the_seed_can_never_fail() -> None:
    findings = [
        finding for found in load(SEED.read_text(), "deploy/payments.yaml") for finding in inspect(found)
    ]
    assert [finding.code for finding in findings] == ["PD050", "PD050"]
    assert render(findings[0]) == (
        "error[PD050]: this analysis can never fail\n"
        "  --> deploy/payments.yaml:42:5\n"
        "   |\n"
        "42 |   - name: http_5xx_rate\n"
        "   |     ^^^^^^^^^^^^^^^^^^^ neither successCondition nor failureCondition: "
        "Argo Rollouts records every measurement as Successful\n"
        "   = why:   a gate that cannot say no lets every version through, and looks green while it does\n"
        "   = fix:   davy fix deploy/payments.yaml   (moves the threshold out of the query into conditions)"
    )


def test_other_documents_have_nothing_to_show() -> None:
    [rollout, *_] = load(SEED.read_text(), "f")
    assert inspect(rollout) == ()


@pytest.mark.parametrize(
    "metric",
    [
        f"{TEETH}\n{VECTOR}",
        f"successCondition: result[0] <= 0.02\n{VECTOR}",
        f"successCondition: result >= 0.95\n{SCALAR}",
        f"successCondition: result >= 0.95\n{UNKNOWN}",
        f"successCondition: result[0] <= 0.02\nfailureCondition: result[0] > 0.1\n{VECTOR}",
        f"successCondition: 'len(result) > 0 && all(result, # <= 0.02)'\n{VECTOR}",
        f"successCondition: len(result) > 150\n{VECTOR}",
        f"successCondition: result[1] < result[0] * 2\n{VECTOR}",
        f"successCondition: not isNaN(result[0]) && result[0] < 5\n{VECTOR}",
        "successCondition: result < 0.5\nprovider: {prometheus: {query: 'time() - 5 * -pi()'}}",
        "successCondition: result[0] > 3\nprovider: {prometheus: {query: '1', rangeQuery: {step: 1m}}}",
        "successCondition: result[0] > 3\nprovider: {prometheus: {query: 'sum(a{{args.selector}})'}}",
        f"successCondition: result.verdict == 'go'\nfailureCondition: result.verdict == 'abort'\n{WEB}",
        f"successCondition: result[0] <= 0.02\nfailureCondition: 'false'\n{VECTOR}",
        f"successCondition: result[0] <= 0.02\ninterval: 1s\ncount: 5\nfailureLimit: 4\n{VECTOR}",
        f"successCondition: result[0] <= 0.02\ninterval: 1s\nfailureLimit: 1000000\n{VECTOR}",
        f"{TEETH}\ninterval: 1s\nfailureLimit: -1\nconsecutiveSuccessLimit: 3\n{VECTOR}",
        "provider: {job: {spec: {template: {}}}}",
        "provider: {plugin: {mine: {}}}",
        "successCondition: result < 5\nprovider: {plugin: {davy.dev/honeycomb: {}}}",
    ],
)
def test_teeth_are_left_alone(metric: str) -> None:
    assert told(metric) == []


@pytest.mark.parametrize(
    ("code", "metric", "place"),
    [
        ("PD050", VECTOR, "name: m0"),
        ("PD050", WEB, "name: m0"),
        ("PD050", "provider: {plugin: {davy.dev/sentry: {}}}", "name: m0"),
        ("PD051", f"successCondition: 'true'\n{VECTOR}", "successCondition: 'true'"),
        ("PD051", f"successCondition: 'true'\n{SCALAR}", "successCondition: 'true'"),
        ("PD051", f"successCondition: 1 == 1\n{WEB}", "successCondition: 1 == 1"),
        ("PD050", f"failureCondition: 'false'\n{WEB}", "failureCondition: 'false'"),
        (
            "PD050",
            f"failureCondition: result[0] > 5 && result[0] < 3\n{VECTOR}",
            "failureCondition: result[0] > 5 && result[0] < 3",
        ),
        ("PD051", f"successCondition: len(result) >= 0\n{VECTOR}", "successCondition: len(result) >= 0"),
        ("PD052", f"{TEETH}\ncount: 1\nfailureLimit: 1\n{VECTOR}", "failureLimit: 1"),
        ("PD052", f"{TEETH}\nfailureLimit: '7'\ncount: '5'\ninterval: 1s\n{VECTOR}", "failureLimit: '7'"),
        ("PD052", f"{TEETH}\nfailureLimit: -1\ninterval: 1s\n{VECTOR}", "failureLimit: -1"),
        ("PD052", "failureLimit: 1\nprovider: {job: {spec: {template: {}}}}", "failureLimit: 1"),
    ],
)
def test_what_can_never_fail_is_found(code: str, metric: str, place: str) -> None:
    assert (code, place) in told(metric)


def test_what_can_be_mended_by_a_command_says_so_and_nothing_else_does() -> None:
    filtered, plain, shared = (
        document("provider: {prometheus: {query: 'sum(up) > 0'}}"),
        document(VECTOR),
        document("provider: &p {prometheus: {query: 'sum(up) > 0'}}", "provider: *p"),
    )
    assert [finding.fix.startswith("davy fix t.yaml") for finding in inspect(filtered)] == [True]
    assert [finding.fix.startswith("ask for data") for finding in inspect(plain)] == [True]
    assert [finding.fix.startswith("ask for data") for finding in inspect(shared)] == [True, True]


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (f"failureCondition: result[0] > 0.05\n{VECTOR}", "[NaN] and [NaN NaN] is Successful"),
        (f"successCondition: 'all(result, # >= 0.95)'\n{VECTOR}", "an empty result is Successful"),
        (f"successCondition: len(result) == 0 || result[0] >= 0.95\n{VECTOR}", "an empty result is Successful"),
        (
            f"failureCondition: 'any(result, # > 0.05)'\n{VECTOR}",
            "an empty result, [NaN] and [NaN NaN] is Successful",
        ),
        (f"successCondition: isNaN(result) || result < 0.9\n{SCALAR}", "NaN is Successful"),
        (f"failureCondition: result > 0.9\n{SCALAR}", "NaN is Successful"),
        (f"successCondition: default(result, 0) < 0.9\n{UNKNOWN}", "nil is Successful"),
        (f"successCondition: result.verdict != 'abort'\n{WEB}", "an empty object is Successful"),
    ],
)
def test_what_passes_on_no_data_is_found(metric: str, words: str) -> None:
    [finding] = inspect(document(metric))
    assert (finding.code, finding.label) == ("PD053", words)
    assert underlined(finding) in metric


def test_tolerated_inconclusive_measurements_pass_on_no_data() -> None:
    limits = f"{TEETH}\ninterval: 1s\ncount: 5\n{VECTOR}\n"
    assert told(f"{limits}inconclusiveLimit: 5") == [("PD053", "inconclusiveLimit: 5")]
    assert told(f"{limits}inconclusiveLimit: 4") == []
    assert told(f"{limits}inconclusiveLimit: '{{{{args.x}}}}'", "args: [{name: x}]") == []


@pytest.mark.parametrize(
    ("condition", "place", "label"),
    [
        ("result[0] = 0.02", "=", "unexpected operator ="),
        ("'result[0] = 0.02'", "=", "unexpected operator ="),
        ('"result[0] = 0.02"', "=", "unexpected operator ="),
        ("|\n  result[0] <= 1 &&\n  result[0] = 0.02", "=", "unexpected operator ="),
        (">-\n  result[0]\n\n  = 0.02", "=", "unexpected operator ="),
        ("result[0] <=", "'", "unexpected the end"),
        ("rslt[0] <= 1", "r", "unknown name rslt"),
        ('"result[0] \\x3d 0.02"', 'successCondition: "result[0] \\x3d 0.02"', "unexpected operator ="),
        ("isNil(result[0]) || result[0] < 1", "i", "isNil ignores what it is given"),
        ("default(result[0], 0) < 1", "d", "default ignores what it is given"),
        (
            "result <= 0.02",
            "successCondition: result <= 0.02",
            "it is an error on every result: invalid operation",
        ),
        ("result[0]", "successCondition: result[0]", "it is an error on every result: expected bool"),
    ],
)
def test_conditions_that_do_not_do_what_they_say_are_found(condition: str, place: str, label: str) -> None:
    if condition.endswith("<="):
        condition = f"'{condition}'"
    [finding] = inspect(document(f"successCondition: {condition}\n{VECTOR}"))
    assert finding.code == "PD059"
    assert underlined(finding) == place
    assert label in finding.label
    assert finding.fix


def test_a_condition_that_is_an_error_without_looking_is_found() -> None:
    assert told(f"failureCondition: 1 + 1\n{WEB}") == [("PD059", "failureCondition: 1 + 1")]


def test_a_condition_that_takes_too_much_work_is_not_tried_for_long() -> None:
    endless = f"successCondition: 'count(1..30000, {{true}}) > 3 || result[0] < 1'\n{VECTOR}"
    [finding] = inspect(document(endless))
    assert (finding.code, finding.label) == (
        "PD059",
        "it is an error on every result: the limit of 5000 steps is reached",
    )


def test_a_condition_that_was_cut_off_by_a_comment_says_so() -> None:
    [finding] = inspect(document(f"successCondition: all(result, # <= 0.02)\n{VECTOR}"))
    assert finding.fix == "put the condition in quotes: after a blank, # begins a comment"


def test_the_place_of_an_error_in_a_block_is_where_it_is_written() -> None:
    [finding] = inspect(document(f"failureCondition: |\n  result[0] > 1 ||\n    nonsense > 2\n{VECTOR}"))
    assert underlined(finding) == "n"
    assert finding.source_line.endswith("nonsense > 2")


ARGUMENTS = "args: [{name: open}, {name: limit, value: '0.02'}, {name: all, value: 'true'}]"


@pytest.mark.parametrize(
    ("metric", "codes"),
    [
        (f"successCondition: result[0] <= {{{{args.open}}}}\n{VECTOR}", []),
        (f"successCondition: result[0] <= {{{{ args.limit }}}}\n{VECTOR}", []),
        (f"failureCondition: result[0] > {{{{args.open}}}}\n{VECTOR}", ["PD053"]),
        (f"successCondition: '{{{{args.open}}}}'\n{VECTOR}", []),
        (f"successCondition: result {{{{args.open}}}}\n{VECTOR}", []),
        (f"successCondition: '{{{{args.all}}}}'\n{VECTOR}", ["PD051", "PD053"]),
        (f"successCondition: result = {{{{args.limit}}}}\n{VECTOR}", ["PD059"]),
        (f"{TEETH}\ncount: '{{{{args.open}}}}'\nfailureLimit: 5\ninterval: 1s\n{VECTOR}", []),
        ("provider: {prometheus: {query: 'sum(up) > {{args.limit}}'}}", ["PD050"]),
    ],
)
def test_placeholders_take_the_values_that_are_known(metric: str, codes: list[str]) -> None:
    assert [code for code, _ in told(metric, ARGUMENTS)] == codes


def test_a_metric_of_a_run_is_asked_again_when_its_arguments_are_known() -> None:
    template = document(f"successCondition: '{{{{args.open}}}}'\n{VECTOR}", rest=ARGUMENTS).value
    assert isinstance(template, AnalysisTemplate)
    [metric] = template.spec.metrics
    assert [weakness.code for weakness in weaknesses(metric, {"open": "true"})] == ["PD051", "PD053"]
    assert list(weaknesses(metric, {"open": "result[0] < 1"})) == []


@pytest.mark.parametrize(
    ("rules", "codes"),
    [
        ("dryRun: [{metricName: .*}]", ["PD050"]),
        ("dryRun: [{metricName: m0}, {metricName: '1$'}]", ["PD050"]),
        ("dryRun: [{metricName: m0}]", []),
        ("dryRun: [{metricName: '*'}]", []),
    ],
)
def test_a_template_of_dry_runs_only_can_never_fail(rules: str, codes: list[str]) -> None:
    found = inspect(document(f"{TEETH}\n{VECTOR}", f"{TEETH}\n{VECTOR}", rest=rules))
    assert [finding.code for finding in found] == codes


def test_a_template_of_templates_only_has_no_metric_to_blame() -> None:
    text = """
apiVersion: argoproj.io/v1alpha1
kind: ClusterAnalysisTemplate
metadata: {name: t}
spec: {templates: [{templateName: other}], dryRun: [{metricName: x}]}
"""
    [found] = load(text, "f")
    assert inspect(found) == ()


@pytest.mark.parametrize(
    ("query", "says", "under"),
    [
        ("sum(rtae(a[1m]))", "unknown function with name 'rtae'", "r"),
        ("rate(a[1m]) / rate(b)", "expected type matrix in call to function 'rate', got vector", None),
        ("histogram_avg(a)", "histogram_avg() reads native histograms, which are not supported", None),
        ("rate(a[{{args.window}}]) >/ 1", "trimming native histograms is not supported", None),
    ],
)
def test_a_query_that_has_no_answer_is_told_before_it_is_asked(
    query: str, says: str, under: str | None
) -> None:
    metric = f"{TEETH}\nprovider: {{prometheus: {{query: '{query}'}}}}"
    [finding] = inspect(document(metric, rest="args: [{name: window, value: 1m}]"))
    assert (finding.code, finding.severity, finding.label) == ("PD066", "warning", says)
    assert underlined(finding) == (under or f"query: '{query}'")


def test_every_rule_can_fire() -> None:
    """PD055 is in test_blind.py."""
    fired = {
        finding.code
        for metric in (
            VECTOR,
            f"failureCondition: result[0] > 1\n{VECTOR}",
            f"successCondition: 1 == 1\n{VECTOR}",
            f"{TEETH}\ncount: 1\nfailureLimit: 1\n{VECTOR}",
            f"successCondition: x\n{VECTOR}",
            "provider: {prometheus: {query: this is no query}}",
        )
        for finding in inspect(document(metric))
    }
    assert fired | {"PD055"} == RULES.keys()


operators = st.sampled_from(["<", "<=", ">", ">="])
thresholds = st.floats(-1e6, 1e6).map(lambda number: round(number, 6)).filter(bool)


@settings(max_examples=50, deadline=None)
@given(operators, thresholds, st.booleans())
def test_a_threshold_always_has_a_result_that_fails_it(
    operator: str, threshold: float, on_success: bool
) -> None:
    condition = f"result[0] {operator} {threshold!r}"
    fields: dict[str, Any] = {"success_condition" if on_success else "failure_condition": condition}
    template = document(VECTOR).value
    assert isinstance(template, AnalysisTemplate)
    provider = template.spec.metrics[0].provider
    metric = Metric(name="m", provider=provider, **fields)
    missing = {Phase.SUCCESSFUL, Phase.FAILED}
    for outcome in takewhile(lambda _: missing, on_data(metric)):
        missing.discard(outcome.phase)
    assert not missing
    passing = {outcome.words for outcome in on_nothing(metric) if outcome.phase is Phase.SUCCESSFUL}
    assert passing == (set() if on_success else {"[NaN]", "[NaN NaN]"})


ASKS = "provider: {plugin: {davy/judge: {}}}"
AGAIN = "interval: 1s\ncount: 100000\ninconclusiveLimit: 100000\nfailureLimit: 0\n"
HEEDS = "successCondition: result.verdict == 'advance'\nfailureCondition: result.verdict == 'abort'\n"


@pytest.mark.parametrize("provider", [ASKS, WEB])
def test_a_metric_that_waits_for_a_judge_is_sound(provider: str) -> None:
    assert told(f"{AGAIN}consecutiveSuccessLimit: 1\n{HEEDS}{provider}") == []


def test_a_metric_that_asks_a_judge_needs_no_condition() -> None:
    assert told(f"count: 1\n{ASKS}") == []
    assert told(f"{AGAIN}consecutiveSuccessLimit: 1\n{ASKS}") == []


@pytest.mark.parametrize(
    ("metric", "found"),
    [
        (AGAIN, [("PD053", "inconclusiveLimit: 100000")]),
        (f"{AGAIN}{HEEDS}", [("PD053", "inconclusiveLimit: 100000")]),
        (
            "successCondition: result.verdict != 'aborted'\n",
            [(code, "successCondition: result.verdict != 'aborted'") for code in ("PD051", "PD053")],
        ),
        (
            "successCondition: result.verdict != 'abort'\n",
            [("PD053", "successCondition: result.verdict != 'abort'")],
        ),
        ("failureCondition: result.verdict == 5\n", [("PD050", "failureCondition: result.verdict == 5")] * 2),
        (
            "successCondition: result[0] > 1\nfailureCondition: result.verdict == 'abort'\n",
            [("PD059", "successCondition: result[0] > 1")],
        ),
        ("failureLimit: -1\ninterval: 1s\n", [("PD052", "failureLimit: -1")]),
    ],
)
def test_a_metric_that_does_not_heed_its_judge_is_found(metric: str, found: list[tuple[str, str]]) -> None:
    said = told(f"{metric}{ASKS}")
    assert [place for _, place in said] == [place for _, place in found]
    assert [code for code, _ in said][:1] == [code for code, _ in found][:1]


def test_what_mends_a_metric_that_asks_a_judge_is_about_its_words() -> None:
    fixes = {
        finding.fix
        for finding in inspect(
            document(
                f"successCondition: result.verdict != 'aborted'\n{ASKS}",
                f"{AGAIN}{ASKS}",
                f"successCondition: result[0] > 1\nfailureCondition: result.verdict == 'abort'\n{ASKS}",
            )
        )
    }
    assert all("verdict" in fix or "consecutiveSuccessLimit" in fix for fix in fixes)


JUDGE = """\
apiVersion: davy.dev/v1alpha1
kind: Judge
metadata: {name: payments}
spec:
  service: payments
  metrics:
    - {}
    - name: auth
      counter: {tried: 'sum(a{v="{{version}}"}', happened: 'b{v="{{version}}"}[1m] +'}
  prometheus:
    address: http://prometheus:9090
    latency: by (le) {{version}}
    errors: ' '
"""


def test_a_judge_whose_counters_are_no_promql_is_blind() -> None:
    [found] = load(JUDGE, "judge.yaml")
    assert [(finding.code, finding.path) for finding in inspect(found)] == [
        ("PD066", f"spec.{field}")
        for field in ("metrics[1].counter.tried", "metrics[1].counter.happened", "prometheus.latency")
    ]


def test_a_judge_that_sees_is_left_alone() -> None:
    text = (Path(__file__).parents[1] / "cases" / "complete" / "judge.yaml").read_text()
    assert [finding for found in load(text, "judge.yaml") for finding in inspect(found)] == []
