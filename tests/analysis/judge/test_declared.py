"""From a Judge as it is written to the one that is run, and which one that is for a rollout."""

import math
from collections.abc import Mapping
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.analysis.judge import Action, Judge, Metric, MetricKind, Rung, start, verdict
from davy.analysis.judge.declared import judge_for, settings_of, step_weights
from davy.analysis.judge.settings import ERRORS, LADDER, LATENCIES
from davy.model.analysis import AnalysisTemplateRef, AnalysisTemplateSpec
from davy.model.judge import Judge as Written
from davy.model.judge import JudgeSpec
from davy.model.loader import load
from davy.model.meta import ObjectMeta
from davy.model.rollout import Rollout
from davy.model.validate import validate

SOAK = {"weight": 5, "least": "2m", "most": "1h"}
NONE: Mapping[AnalysisTemplateRef, AnalysisTemplateSpec] = {}


def written(name: str = "strict", namespace: str = "shop", **spec: object) -> Written:
    return Written(
        metadata=ObjectMeta(name=name, namespace=namespace),
        spec=msgspec.convert({"service": "payments", **spec}, JudgeSpec),
    )


def rollout(
    steps: list[object] | None = None, annotations: Mapping[str, str] = {}, **canary: object
) -> Rollout:
    strategy = {"canary": {"steps": steps or [], **canary}}
    metadata = {"name": "payments", "namespace": "shop", "annotations": annotations}
    return msgspec.convert({"metadata": metadata, "spec": {"strategy": strategy}}, Rollout)


def template(*judges: str | None, templates: tuple[str, ...] = ()) -> AnalysisTemplateSpec:
    """Make a template with a metric for each Judge that is asked; None is a query of Prometheus."""
    metrics = [
        {
            "name": f"m{number}",
            "provider": {"prometheus": {"query": "up"}}
            if judge is None
            else {"plugin": {"davy/judge": {"judge": judge} if judge else {}}},
        }
        for number, judge in enumerate(judges)
    ]
    nested = [{"templateName": name} for name in templates]
    return msgspec.convert({"metrics": metrics, "templates": nested}, AnalysisTemplateSpec)


def analysis(*names: str) -> dict[str, object]:
    return {"analysis": {"templates": [{"templateName": name} for name in names]}}


def test_a_service_is_enough() -> None:
    assert settings_of(written()) == Judge()


def test_everything_that_is_written_counts() -> None:
    judge = written(
        metrics=[
            {"materiality": 2, "objective": 0.01},
            {"kind": "latency", "name": "slow", "margin": 1.21, "weight": 0.5},
            {"kind": "conversions", "name": "checkout", "counter": {"tried": "a", "happened": "b"}},
        ],
        alpha=0.001,
        beta=0.1,
        riskBudget=5,
        assurance=0.001,
        warmUp="0s",
        warmUpEach=True,
        bake="1h",
        interval="10s",
        steps=[SOAK, {"weight": 50, "least": "0s", "most": "0s"}],
        patience=3,
    )
    assert settings_of(judge, scrape_s=1.0) == Judge(
        metrics=(
            Metric(materiality=2.0, objective=0.01),
            Metric("slow", MetricKind.LATENCY, 0.5, margin_buckets=2),
            Metric("checkout", MetricKind.CONVERSIONS, 0.1),
        ),
        alpha=0.001,
        beta=0.1,
        risk_budget=5.0,
        assurance=0.001,
        warm_up_s=0.0,
        warm_up_each=True,
        bake_s=3600.0,
        scrape_s=10.0,
        ladder=(Rung(0.05, 120.0, 3600.0), Rung(0.5, 0.0, 0.0)),
        patience=3.0,
    )


def test_a_metric_has_the_defaults_of_its_kind() -> None:
    assert settings_of(written(metrics=[{}, {"kind": "latency"}])).metrics == (ERRORS, LATENCIES)


@given(st.floats(1.0, 100.0))
def test_who_may_be_slower_is_not_held_to_less(margin: float) -> None:
    [metric] = settings_of(written(metrics=[{"kind": "latency", "margin": margin}])).metrics
    assert 1.1**metric.margin_buckets >= margin * (1.0 - 1e-8)
    assert 1.1 ** (metric.margin_buckets - 1) < margin


def test_counters_are_read_as_often_as_whoever_asks_reads_them_unless_the_judge_says() -> None:
    assert settings_of(written(), scrape_s=1.0).scrape_s == 1.0
    assert settings_of(written(interval="3s"), scrape_s=1.0).scrape_s == 3.0


@given(st.lists(st.floats(0.0, 1.0)), st.sampled_from([[], [SOAK]]))
def test_the_rungs_are_the_weights_that_the_rollout_sets(weights: list[float], steps: list[object]) -> None:
    judge = settings_of(written(steps=steps), weights)
    inner = sorted({weight for weight in weights if 0.0 < weight < 1.0})
    by_itself = settings_of(written(steps=steps))
    assert [rung.weight for rung in judge.ladder] == (inner or [rung.weight for rung in by_itself.ladder])
    for rung in judge.ladder:
        times = by_itself.rung(rung.weight)
        assert (rung.soak_s, rung.cap_s) == (times.soak_s, times.cap_s)


def test_a_ladder_of_its_own_weights_is_itself() -> None:
    assert settings_of(written(), [rung.weight for rung in LADDER]).ladder == LADDER


@pytest.mark.parametrize(
    ("steps", "weights"),
    [
        ([], ()),
        ([{"setWeight": 50}, {"pause": {}}, {"setWeight": 5}, {"setWeight": 50}], (0.05, 0.5)),
        ([{"setWeight": 0}, {"setWeight": 100}], (0.0, 1.0)),
    ],
)
def test_the_weights_of_steps_are_shares(steps: list[object], weights: tuple[float, ...]) -> None:
    assert step_weights(rollout(steps)) == weights


def test_weights_are_shares_of_what_all_of_the_traffic_is() -> None:
    found = rollout([{"setWeight": 50}], trafficRouting={"maxTrafficWeight": 1000, "nginx": {}})
    assert step_weights(found) == (0.05,)


def test_blue_green_has_no_judge_and_no_weights() -> None:
    spec = {"strategy": {"blueGreen": {"activeService": "payments"}}}
    found = msgspec.convert({"metadata": {"name": "payments", "namespace": "shop"}, "spec": spec}, Rollout)
    assert judge_for(found, [written()], NONE) is None
    assert step_weights(found) == ()


def test_a_service_has_the_judge_of_its_name() -> None:
    other = written("a", service="other")
    assert judge_for(rollout(), [other, written()], NONE) == written()
    assert judge_for(rollout(), [other], NONE) is None
    assert judge_for(rollout(annotations={"davy.dev/service": "other"}), [other, written()], NONE) == other


def test_a_judge_is_one_of_its_namespace() -> None:
    assert judge_for(rollout(), [written(namespace="other")], NONE) is None


def test_of_two_judges_of_a_service_the_first_by_name_judges() -> None:
    assert judge_for(rollout(), [written("b"), written("a")], NONE) == written("a")


def test_a_rollout_may_name_its_judge_and_then_no_other_judges() -> None:
    named = rollout(annotations={"davy.dev/judge": "lax"})
    assert judge_for(named, [written(), written("lax", service="x")], NONE) == written("lax", service="x")
    assert judge_for(named, [written()], NONE) is None


def test_a_metric_may_ask_a_judge() -> None:
    lax = written("lax", service="x")
    templates = {
        AnalysisTemplateRef("whole"): template(templates=("missing", "part", "whole")),
        AnalysisTemplateRef("part"): template(None, "", "lax"),
        AnalysisTemplateRef("unused"): template("strict"),
    }
    asks = rollout([analysis("whole")])
    assert judge_for(asks, [written(), lax], templates) == lax
    assert judge_for(asks, [written(), lax], {}) == written()
    named = rollout([analysis("whole")], {"davy.dev/judge": "strict"})
    assert judge_for(named, [written(), lax], templates) == written()


def test_a_metric_that_names_none_asks_the_one_of_the_service() -> None:
    templates = {AnalysisTemplateRef("part"): template("")}
    assert (
        judge_for(rollout([analysis("part")]), [written("lax", service="x"), written()], templates) == written()
    )


def test_a_margin_of_one_is_none() -> None:
    [metric] = settings_of(written(metrics=[{"kind": "latency", "margin": 1}])).metrics
    assert metric.margin_buckets == 0


NUMBERS = (0.0, 1e-320, 1e-9, 0.01, 0.5, 1.0, 1.1, 2.0, 99.9, 1e6, 1e7, -1.0, math.inf, math.nan)
TIMES = ("", "0s", "1ns", "1s", "-1s", "90s", "1m", "1d", "2562047h")
COUNTER = {"tried": "a{v='{{version}}'}", "happened": "b{v='{{version}}'}"}
METRICS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["errors", "conversions", "latency"])},
    optional={
        "name": st.sampled_from([" ", "error_ratio", "latency", "auth"]),
        "weight": st.sampled_from(NUMBERS),
        "materiality": st.sampled_from(NUMBERS),
        "objective": st.sampled_from(NUMBERS),
        "margin": st.sampled_from(NUMBERS),
        "counter": st.just(COUNTER),
    },
)
WEIGHTS = st.floats(0.0, 100.0) | st.sampled_from(NUMBERS)
STEPS = st.builds(
    lambda weight, least, most: {"weight": weight, "least": least, "most": most},
    *(WEIGHTS, st.sampled_from(TIMES[1:7]), st.sampled_from(["10m", *TIMES])),
)
TEXT = "apiVersion: davy.dev/v1alpha1\nkind: Judge\nmetadata: {name: a}\nspec: {service: payments}\n"


def said(spec: Mapping[str, object]) -> Written:
    judge = msgspec.convert({"service": "payments", **spec}, JudgeSpec)
    return msgspec.structs.replace(written(), spec=judge)


def starts_if_it_is_valid(judge: Written) -> bool:
    """Say whether a Judge is valid; one that is starts."""
    [document] = load(TEXT, "judge.yaml")
    if validate(replace(document, value=judge)):
        return False
    found = settings_of(judge)
    assert verdict(start(found), 0.0).action is Action.CONTINUE
    assert sum(found.weights.values()) == pytest.approx(1.0)
    assert min(found.weights.values()) > 0.0
    assert found.scrape_s > 0.0
    return True


@pytest.mark.parametrize(
    ("fields", "values", "good"),
    [
        (("alpha", "beta", "assurance"), NUMBERS, {1e-320, 1e-9, 0.01, 0.5}),
        (("riskBudget",), NUMBERS, {0.01, 0.5, 1.0, 1.1, 2.0, 99.9, 1e6}),
        (("patience",), NUMBERS, {1.0, 1.1, 2.0, 99.9, 1e6}),
        (("warmUp", "bake"), TIMES, {"", "0s", "1ns", "1s", "90s", "1m", "2562047h"}),
        (("interval",), TIMES, {"", "1ns", "1s", "90s", "1m", "2562047h"}),
    ],
)
def test_what_is_valid_of_a_field_starts(
    fields: tuple[str, ...], values: tuple[object, ...], good: set[object]
) -> None:
    for field in fields:
        assert {value for value in values if starts_if_it_is_valid(said({field: value}))} == good


@settings(max_examples=300)
@given(st.lists(METRICS, min_size=1, max_size=3), st.booleans())
def test_metrics_that_are_valid_start(metrics: list[object], both: bool) -> None:
    starts_if_it_is_valid(written(metrics=[{}, *metrics] if both else metrics))


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=3), st.booleans())
def test_steps_that_are_valid_start(steps: list[dict[str, float]], ascending: bool) -> None:
    starts_if_it_is_valid(written(steps=sorted(steps, key=lambda s: s["weight"]) if ascending else steps))


def test_two_percentages_that_are_one_share_are_one_step_too_many() -> None:
    near = math.nextafter(0.11, 100.0)
    assert near > 0.11
    assert near / 100.0 == 0.11 / 100.0
    steps = [{"weight": weight, "least": "1s", "most": "1s"} for weight in (0.11, near)]
    assert not starts_if_it_is_valid(written(steps=steps))
